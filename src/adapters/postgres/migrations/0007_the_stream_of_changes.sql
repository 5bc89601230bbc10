-- In a transaction: no
-- The stream of changes is read along these: the publications of whom it is about, and of each the
-- products that it wrote, the live ones and those that are history. The lists of a feed's products
-- are read along them too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS publications_by_partner ON publications (partner_id, number);
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_by_change ON products (publication_id, ordinal);
CREATE INDEX CONCURRENTLY IF NOT EXISTS product_versions_by_change
    ON product_versions (publication_id, ordinal);
-- Few rows have an origin: those that a revert brought back.
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_by_origin ON products (origin_id)
    WHERE origin_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS products_by_publication;

-- The products of a publication by id, so that a page of a feed's products is read along the index
-- wherever it lies, be the feed large or small. Without the id the planner has to guess which.
DROP INDEX products_by_publication;
CREATE INDEX products_by_publication ON products (publication_id, product_id);

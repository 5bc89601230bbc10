-- In a transaction: no
-- Which sources limit how old their products may become: few, and read with every list of products.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sources_that_stop_selling ON sources (source_id)
    WHERE stop_selling_after IS NOT NULL;

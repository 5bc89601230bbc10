-- In a transaction: no
-- Whether rules or price lists have changed since a moment is asked for each page of products with prices.
CREATE INDEX CONCURRENTLY IF NOT EXISTS price_rules_by_time ON price_rules (since);
CREATE INDEX CONCURRENTLY IF NOT EXISTS price_list_versions_by_time
    ON price_list_versions (published_at);

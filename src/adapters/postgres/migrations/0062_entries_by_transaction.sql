-- In a transaction: no
-- What the rollups don't contain yet.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sales_entries_by_transaction ON sales_entries (txid);

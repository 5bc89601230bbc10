-- In a transaction: no
CREATE INDEX CONCURRENTLY IF NOT EXISTS sales_entries_by_order ON sales_entries (order_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sales_entries_by_partner ON sales_entries (partner_id, currency, at);

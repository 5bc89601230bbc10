-- In a transaction: no
-- Lists of orders by status, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_status ON orders (status COLLATE "C", order_id);

-- In a transaction: no
-- The orders that nobody has confirmed yet, by when they expire; those without an expiry aren't in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_expiring ON orders (expires_at)
    WHERE expires_at IS NOT NULL;

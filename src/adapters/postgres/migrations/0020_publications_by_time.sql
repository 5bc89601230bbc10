-- In a transaction: no
-- From which publication on products were changed since a time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS publications_by_time ON publications (published_at);

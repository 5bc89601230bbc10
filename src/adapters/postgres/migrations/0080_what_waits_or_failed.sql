-- In a transaction: no
-- What waits for a person or failed is found at once, however much has gone well: lists of feeds and jobs by
-- such a status, and what the inbox looks for.
CREATE INDEX CONCURRENTLY IF NOT EXISTS feeds_held ON feeds (feed_id) WHERE status = 'held';
CREATE INDEX CONCURRENTLY IF NOT EXISTS feeds_failed ON feeds (feed_id)
    WHERE status IN ('failed', 'rejected');
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_held ON jobs (job_id) WHERE status = 'held';
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_failed ON jobs (job_id) WHERE status = 'failed';
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_failed_by_time ON jobs (finished_at)
    WHERE status = 'failed';
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_oversold ON events (occurred_at)
    WHERE kind = 'stock.oversold';

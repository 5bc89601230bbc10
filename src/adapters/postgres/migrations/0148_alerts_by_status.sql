-- In a transaction: no
-- The log of alerts by status, newest first: few of them fail.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alerts_by_status ON alerts (status, alert_id);

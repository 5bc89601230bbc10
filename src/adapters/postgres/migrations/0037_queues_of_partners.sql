-- In a transaction: no
-- The queues, one behind the other: whose turn it is, and which job, is read along these, however many
-- jobs wait. As small as what is under way.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_waiting ON jobs (partner_id, job_id)
    WHERE status = 'queued' AND released;
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_waiting_small ON jobs (partner_id, job_id)
    WHERE status = 'queued' AND released AND is_small;
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_under_way_by_source ON jobs (source_id, job_id)
    WHERE status IN ('queued', 'running');
-- Who is busy, and whose lease has expired.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_running ON jobs (partner_id, job_id)
    WHERE status = 'running';

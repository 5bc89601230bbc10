-- What jobs would do, kept for whoever decides on it, and what was decided.
CREATE TABLE job_plans (
    job_id uuid PRIMARY KEY,
    plan jsonb NOT NULL
);
ALTER TABLE jobs ADD COLUMN decision jsonb;

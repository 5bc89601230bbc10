-- Runs of what-ifs. Rules and reports are documents, which are only read as a whole.
CREATE TABLE what_ifs (
    what_if_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('queued', 'done', 'failed')),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    rules jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz CHECK ((finished_at IS NULL) = (status = 'queued')),
    report jsonb,
    problem text
);

CREATE INDEX what_ifs_by_end ON what_ifs (finished_at);

-- What workers do that is no feed's job: chores, and what is to come. A job keeps its own lease, in the
-- columns of the same names, where versions that don't know this table look for it.
CREATE TABLE tasks (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    -- What it is about: an id, or '' where there is one of the kind.
    subject text COLLATE "C" NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'running')),
    due_at timestamptz NOT NULL,
    -- Before this moment nobody claims it: it isn't due, a pause isn't over, or a lease is valid. By the
    -- database's clock.
    lease_expires_at timestamptz NOT NULL,
    -- Each claim is an attempt; the number only grows, so that an old run never passes for a new one.
    attempts integer NOT NULL CHECK (attempts >= 0),
    -- Attempts since it was last finished that crashed, and that lost the database.
    silent_ends integer NOT NULL DEFAULT 0,
    severed_ends integer NOT NULL DEFAULT 0,
    started_at timestamptz,
    progress jsonb NOT NULL,
    session text,
    UNIQUE (kind, subject)
);
-- The queue of a lane. Looking for work costs the same, however much of it is due later.
CREATE INDEX tasks_by_time ON tasks (lane, lease_expires_at);
-- Whose sessions to end.
CREATE INDEX tasks_running ON tasks (lease_expires_at) WHERE status = 'running';

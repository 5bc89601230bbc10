-- Where sources are fetched from, and when next. Versions that don't know this leave it alone.
CREATE TABLE pulls (
    source_id uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    url text NOT NULL,
    username text,
    -- The password or token, sealed by the vault.
    sealed text,
    cron text,
    time_zone text NOT NULL,
    -- The next tick; NULL: only on request.
    due_at timestamptz,
    -- What was fetched last.
    etag text,
    last_modified text,
    sha256 text,
    updated_at timestamptz NOT NULL
);
-- A look at the schedules costs what is due, not how many there are.
CREATE INDEX pulls_due ON pulls (due_at) WHERE due_at IS NOT NULL;

-- Each tick, and what became of it. Its task has the lease.
CREATE TABLE fetches (
    fetch_id uuid PRIMARY KEY,
    source_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    cause text COLLATE "C" NOT NULL,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    missed integer NOT NULL,
    outcome text COLLATE "C",
    feed_id uuid,
    bytes bigint,
    error jsonb,
    finished_at timestamptz,
    tries integer NOT NULL DEFAULT 0
);
-- No tick is doubled, whoever looks at the schedules at once.
CREATE UNIQUE INDEX fetches_ticks ON fetches (source_id, due_at);
-- One fetch of a source at a time.
CREATE UNIQUE INDEX fetches_under_way ON fetches (source_id) WHERE outcome IS NULL;
CREATE INDEX fetches_by_source ON fetches (source_id, fetch_id);
CREATE INDEX fetches_by_partner ON fetches (partner_id, fetch_id);

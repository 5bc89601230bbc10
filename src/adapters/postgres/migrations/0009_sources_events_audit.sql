-- What is set for each source, and what the platform announces and remembers of who did what.
ALTER TABLE sources ADD COLUMN kind text NOT NULL DEFAULT 'upload';
ALTER TABLE sources ADD COLUMN run boolean NOT NULL DEFAULT FALSE;
-- What rejected records mean; an empty object is: no more than that they are rejected.
ALTER TABLE sources ADD COLUMN on_error jsonb NOT NULL DEFAULT '{}';
ALTER TABLE sources ADD COLUMN guards jsonb NOT NULL DEFAULT '{}';
ALTER TABLE sources ADD COLUMN snapshot_pattern text;

-- An event is written by the unit that is its cause, without a number, so that writers never wait
-- for each other. Whoever reads first numbers what has been committed by then. So numbers have no
-- gaps, and none appears behind a reader, whatever the order of commits.
CREATE TABLE events (
    event_id uuid PRIMARY KEY,
    number bigint UNIQUE,
    kind text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- Whose it is: the partners that may see it.
    partner_ids uuid[] NOT NULL,
    data jsonb NOT NULL
);
CREATE INDEX events_without_a_number ON events (event_id) WHERE number IS NULL;

-- Up to which number events were numbered, and up to which they have been forgotten since.
CREATE TABLE event_numbers (
    last bigint NOT NULL,
    forgotten bigint NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row)
);
INSERT INTO event_numbers (last, forgotten) VALUES (0, 0);

-- Who did what, when, to what: rows are added and never changed.
CREATE TABLE audit_entries (
    entry_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    partner_id uuid,
    -- The ids, prefix and all, of what it was done to.
    subjects text[] COLLATE "C" NOT NULL,
    note text,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_entries_by_partner ON audit_entries (partner_id, entry_id);
CREATE INDEX audit_entries_by_action ON audit_entries (action, entry_id);
CREATE INDEX audit_entries_by_subject ON audit_entries USING gin (subjects);

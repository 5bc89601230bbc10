-- Bulk acts: one act on each feed of a group, with a result for each. What it was asked for are columns, since lists
-- and workers read them; members are numbered by the age of their feeds.
CREATE TABLE bulk_acts (
    bulk_id uuid PRIMARY KEY,
    -- The partner that acts, or NULL for the operator.
    partner_id uuid,
    actor text NOT NULL,
    key_id uuid,
    kind text NOT NULL,
    -- The partner whose feeds it concerns; NULL for all.
    of_partner_id uuid,
    source_id uuid,
    code text,
    received_from timestamptz,
    received_to timestamptz,
    without text[] NOT NULL,
    note text,
    status text NOT NULL CHECK (status IN ('queued', 'completed', 'cancelled', 'failed')),
    total integer NOT NULL,
    done integer NOT NULL,
    refused integer NOT NULL CHECK (done + refused <= total),
    created_at timestamptz NOT NULL,
    finished_at timestamptz CHECK ((finished_at IS NULL) = (status = 'queued')),
    problem text
);

CREATE INDEX bulk_acts_by_end ON bulk_acts (finished_at);
CREATE INDEX bulk_acts_by_owner ON bulk_acts (partner_id, bulk_id);

CREATE TABLE bulk_act_items (
    bulk_id uuid NOT NULL REFERENCES bulk_acts (bulk_id) ON DELETE CASCADE,
    number integer NOT NULL,
    feed_id uuid NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'done', 'refused')),
    job_id uuid,
    code text,
    detail text,
    PRIMARY KEY (bulk_id, number)
);

CREATE INDEX bulk_act_items_by_status ON bulk_act_items (bulk_id, status, number);

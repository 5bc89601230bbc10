-- Who is called about which events.
CREATE TABLE webhooks (
    webhook_id uuid PRIMARY KEY,
    -- NULL: the operator's.
    partner_id uuid,
    url text NOT NULL,
    -- Empty: events of all kinds.
    kinds text[] COLLATE "C" NOT NULL,
    body text NOT NULL CHECK (body IN ('full', 'thin')),
    ordered boolean NOT NULL,
    description text,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'disabled', 'removed')),
    disabled_reason text,
    -- Sealed; the newest first.
    secrets jsonb NOT NULL,
    -- The number of the last event before it began.
    begins_after bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    failing_since timestamptz
);
CREATE INDEX webhooks_by_partner ON webhooks (partner_id, webhook_id);

-- Up to which event deliveries were written; one worker at a time moves it on.
CREATE TABLE webhook_reader (
    last bigint NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row)
);
INSERT INTO webhook_reader (last) VALUES (0);

-- One for each event and webhook.
CREATE TABLE webhook_deliveries (
    delivery_id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL,
    partner_id uuid,
    event_id uuid NOT NULL,
    -- The event's number in the log.
    sequence bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    ordered boolean NOT NULL,
    status text COLLATE "C" NOT NULL
        CHECK (status IN ('pending', 'sending', 'delivered', 'failed', 'missed')),
    attempts integer NOT NULL,
    attempts_before integer NOT NULL,
    -- How often a worker took it; only the latest claim may write what became of it.
    claims integer NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it is tried next; of a claimed one, when the claim is over. By the database's clock.
    due_at timestamptz,
    finished_at timestamptz,
    http_status integer,
    error text,
    UNIQUE (webhook_id, sequence)
);
-- The queue of each webhook.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at, sequence)
    WHERE status IN ('pending', 'sending');
-- What an ordered one has to wait for.
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (webhook_id, subject, sequence)
    WHERE ordered AND status IN ('pending', 'sending');
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, status, delivery_id);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id);

-- The log of their tries.
CREATE TABLE webhook_tries (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    http_status integer,
    error text,
    answer text NOT NULL,
    seconds jsonb NOT NULL,
    next_at timestamptz,
    PRIMARY KEY (delivery_id, number)
);

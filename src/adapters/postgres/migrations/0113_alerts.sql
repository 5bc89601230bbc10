-- Who gets alerts: by mail to the recipients, or at the URL.
CREATE TABLE alert_channels (
    channel_id uuid PRIMARY KEY,
    -- NULL: the operator's.
    partner_id uuid,
    recipients text[] NOT NULL,
    url text,
    -- The secret with which messages to the URL are signed.
    sealed text,
    severities text[] COLLATE "C" NOT NULL,
    -- Empty: causes of all kinds.
    kinds text[] COLLATE "C" NOT NULL,
    quiet_hours jsonb,
    digest_minutes integer NOT NULL,
    description text,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'removed')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    messaged_at timestamptz,
    failing_since timestamptz,
    error text
);
CREATE INDEX alert_channels_by_partner ON alert_channels (partner_id, channel_id);

-- What each channel knows of each cause that is there; only read as a whole.
CREATE TABLE alert_streaks (
    channel_id uuid NOT NULL,
    cause_id text COLLATE "C" NOT NULL,
    streak jsonb NOT NULL,
    PRIMARY KEY (channel_id, cause_id)
);

-- The messages, and the log of them.
CREATE TABLE alerts (
    alert_id uuid PRIMARY KEY,
    channel_id uuid NOT NULL,
    partner_id uuid,
    severity text COLLATE "C" NOT NULL,
    entries jsonb NOT NULL,
    more integer NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'sent', 'failed')),
    -- How often a worker took it; only the latest claim may write what became of it.
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it is tried next; of a claimed one, when the claim is over.
    due_at timestamptz,
    sent_at timestamptz,
    error text
);
CREATE INDEX alerts_due ON alerts (due_at) WHERE status = 'pending';
CREATE INDEX alerts_by_channel ON alerts (channel_id, alert_id);

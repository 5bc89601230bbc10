-- What the platform takes of a partner's sales. Each version is a row.
CREATE TABLE partner_terms (
    partner_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    cycle text NOT NULL CHECK (cycle IN ('day', 'week', 'month')),
    terms jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (partner_id, version)
);

-- Closed statements; they never change.
CREATE TABLE statements (
    statement_id uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > since),
    tz text NOT NULL,
    cycle text NOT NULL,
    opening numeric NOT NULL,
    entries numeric NOT NULL,
    payouts numeric NOT NULL,
    closing numeric NOT NULL CHECK (closing = opening + entries - payouts),
    entry_count bigint NOT NULL,
    digest text NOT NULL,
    closed_at timestamptz NOT NULL,
    UNIQUE (partner_id, currency, number)
);

-- Which entries a statement has taken. The key holds that no two take the same one.
CREATE TABLE statement_entries (
    entry_id uuid PRIMARY KEY,
    statement_id uuid NOT NULL
);
CREATE INDEX statement_entries_by_statement ON statement_entries (statement_id, entry_id);

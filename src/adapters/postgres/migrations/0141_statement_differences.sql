-- The statements that differed when they were last compared with the ledger; a row an identity.
CREATE TABLE statement_differences (
    statement_id uuid NOT NULL,
    identity text COLLATE "C" NOT NULL,
    left_ numeric NOT NULL,
    right_ numeric NOT NULL,
    first_at timestamptz NOT NULL,
    latest_at timestamptz NOT NULL,
    PRIMARY KEY (statement_id, identity)
);

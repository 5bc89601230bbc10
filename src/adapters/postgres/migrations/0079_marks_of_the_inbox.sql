-- What people decided about an item of the inbox. Items themselves follow from feeds, jobs and products.
CREATE TABLE inbox_marks (
    -- The partner in whose view the mark holds, or '' for the operator's.
    owner text COLLATE "C" NOT NULL,
    cause_id text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    -- The mark holds for causes up to this moment.
    at timestamptz NOT NULL,
    acknowledged boolean NOT NULL,
    snoozed_until timestamptz,
    assignee text,
    note text,
    PRIMARY KEY (owner, cause_id)
);

-- What each caller may still do: a bucket of tokens for each limit and key. Nothing here has to survive a
-- crash: after one, all buckets are full.
CREATE UNLOGGED TABLE rate_limits (
    limit_name text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    tokens double precision NOT NULL,
    -- What the last statement took, for it to return.
    granted double precision NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (limit_name, subject)
) WITH (fillfactor = 50);

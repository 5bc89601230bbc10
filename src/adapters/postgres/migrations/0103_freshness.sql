-- What is expected of each source, what arrived, and what that makes expected next. Versions that
-- don't know this leave it alone, so what they apply isn't an arrival.
ALTER TABLE sources ADD COLUMN expected jsonb NOT NULL DEFAULT '{}';
ALTER TABLE sources ADD COLUMN stop_selling_after interval;

-- The feeds that were applied, and whether each counts as fresh.
CREATE TABLE arrivals (
    feed_id uuid PRIMARY KEY,
    source_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    at timestamptz NOT NULL,
    mode text COLLATE "C" NOT NULL,
    sha256 text COLLATE "C" NOT NULL,
    -- NULL: applied by a version that didn't count.
    records bigint,
    products bigint,
    verdict text COLLATE "C" NOT NULL,
    reverted boolean NOT NULL DEFAULT FALSE
);
CREATE INDEX arrivals_by_source ON arrivals (source_id, at, feed_id);
CREATE INDEX arrivals_by_partner ON arrivals (partner_id, at, feed_id);
CREATE INDEX arrivals_by_time ON arrivals (at);

CREATE TABLE source_freshness (
    source_id uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    since timestamptz NOT NULL,
    last_fresh_at timestamptz,
    last_feed_id uuid,
    products bigint,
    -- The streak that was announced.
    late_since timestamptz,
    expected_at timestamptz,
    expected_by timestamptz,
    stale_at timestamptz,
    basis text COLLATE "C",
    cron text,
    "every" interval,
    time_zone text,
    grace interval,
    confidence numeric(3, 2),
    -- NULL: what is expected has to be computed.
    judged_at timestamptz
) WITH (fillfactor = 70);
-- A look costs what became overdue, what was announced, and what has to be judged.
CREATE INDEX source_freshness_overdue ON source_freshness (least(expected_by, stale_at))
    WHERE least(expected_by, stale_at) IS NOT NULL;
CREATE INDEX source_freshness_announced ON source_freshness (source_id)
    WHERE late_since IS NOT NULL;
CREATE INDEX source_freshness_to_judge ON source_freshness (source_id) WHERE judged_at IS NULL;
CREATE INDEX source_freshness_by_partner ON source_freshness (partner_id);

-- What was applied before, as far back as arrivals are kept. The same bytes twice aren't fresh.
INSERT INTO arrivals (feed_id, source_id, partner_id, at, mode, sha256, verdict)
SELECT feed_id, source_id, partner_id, received_at, mode, sha256,
       CASE
           WHEN sha256 = lag(sha256) OVER (PARTITION BY source_id ORDER BY received_at, feed_id)
           THEN 'same_bytes' ELSE 'fresh'
       END
FROM feeds
WHERE status = 'applied' AND received_at > now() - interval '400 days';

INSERT INTO source_freshness (source_id, partner_id, since, last_fresh_at, last_feed_id)
SELECT s.source_id, s.partner_id, s.created_at, latest.at, latest.feed_id
FROM sources s
LEFT JOIN LATERAL (
    SELECT at, feed_id
    FROM (
        SELECT at, feed_id FROM arrivals WHERE source_id = s.source_id AND verdict = 'fresh'
        UNION ALL
        (SELECT received_at, feed_id
         FROM feeds
         WHERE source_id = s.source_id AND status = 'applied'
               AND received_at <= now() - interval '400 days'
         ORDER BY feed_id DESC
         LIMIT 1)
    ) AS found
    ORDER BY at DESC, feed_id DESC
    LIMIT 1
) AS latest ON TRUE;

"""Which steps of the schema hold nobody up, and that ours are such."""

import pytest

from adapters.postgres.migrations import Migration, all_migrations
from tests.support.servers.migration_lint import faults

STEPS = all_migrations()
KNOWN = {
    "0003_products_of_a_publication": [
        "DROP INDEX products_by_publication",
        "CREATE INDEX products_by_publication ON products (publication_id, product_id)",
    ],
    "0031_scopes_by_act": ["UPDATE api_keys SET scopes = scopes || '{feeds"],
    "0050_orders_in_parts": ["UPDATE api_keys SET scopes = scopes || '{orders"],
    "0042_scopes_of_pricing": ["UPDATE api_keys SET scopes = scopes || '{pricing"],
    "0073_scopes_of_webhooks": ["UPDATE api_keys SET scopes = scopes || '{webhooks"],
    "0114_scopes_of_alerts": ["UPDATE api_keys SET scopes = scopes || '{alerts"],
    "0058_scopes_of_money": ["UPDATE api_keys SET scopes = scopes || '{money"],
    "0032_terms_of_keys": [
        "UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL AND partner_id IN (SELECT "
    ],
    "0152_hosts_of_pulls": [
        (
            "UPDATE pulls SET host = rtrim(btrim(lower(substring( coalesc"
            "e(settings ->> 'endpoint', url"
        )
    ],
    "0153_pulls_of_offboarded_partners": [
        (
            "DELETE FROM pulls p USING partners o WHERE o.partner_id = p."
            "partner_id AND o.status = 'off"
        )
    ],
    "0046_budgets_by_currency": [
        (
            "UPDATE price_rule_uses AS used SET currency = orders.currency "
            "FROM orders WHERE orders.ord"
        ),
        "DELETE FROM price_rule_uses WHERE currency IS NULL",
        "ALTER TABLE price_rule_uses ALTER COLUMN currency SET NOT NULL",
        "ALTER TABLE price_rule_counters ADD PRIMARY KEY (rule_id, customer, currency)",
        "ALTER TABLE price_rule_counters ALTER COLUMN currency DROP DEFAULT",
        (
            "INSERT INTO price_rule_counters "
            "(rule_id, customer, currency, uses, spent) SELECT rule_id,"
        ),
    ],
}
"""What was done to a table before it had rows, or to one of few rows: just this, and no more."""
OUTSIDE = "-- In a transaction: no\n"


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.name for step in STEPS])
def test_no_step_of_ours_holds_anybody_up(number: int):
    """Each of them says only what is known to be harmless, the first ones too."""
    earlier = [step.name for step in STEPS[:number]]
    found = [fault.partition(":")[0] for fault in faults(STEPS[number], earlier)]
    assert found == KNOWN.get(STEPS[number].name, [])


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs ADD COLUMN a integer",
        "ALTER TABLE jobs ADD COLUMN IF NOT EXISTS a integer NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN a text[] NOT NULL DEFAULT '{}', ADD COLUMN b numeric(4, 2)",
        "ALTER TABLE jobs ADD COLUMN a text COLLATE \"C\" DEFAULT 'a, b' NOT NULL",
        "ALTER TABLE jobs ADD CONSTRAINT positive CHECK (attempts > 0) NOT VALID",
        "ALTER TABLE jobs DROP CONSTRAINT a, ADD CONSTRAINT a CHECK (b IN ('c', 'd')) NOT VALID",
        "ALTER TABLE jobs ALTER COLUMN outcome SET DEFAULT 'none', SET (fillfactor = 70)",
        "CREATE TABLE new (a integer NOT NULL CHECK (a > 0)); CREATE INDEX new_a ON new (a)",
        "CREATE TABLE new (a integer); INSERT INTO new (a) SELECT 1",
        "CREATE AGGREGATE sum_of (bigint) (SFUNC = int8pl, STYPE = bigint)",
        f"{OUTSIDE}CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_by_kind ON jobs (kind)",
        f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS jobs_by_kind",
        f"{OUTSIDE}ALTER TABLE jobs VALIDATE CONSTRAINT positive",
        "-- Needs: 0001_first\nALTER TABLE jobs DROP COLUMN outcome; DROP TABLE old;",
    ],
)
def test_what_holds_nobody_up_is_taken(statement: str):
    assert list(faults(Migration("0009_new", statement), ["0001_first"])) == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs ADD COLUMN a integer NOT NULL",
        "ALTER TABLE jobs ADD a integer NOT NULL",
        "alter table jobs add column a integer not null",
        "ALTER TABLE jobs ADD COLUMN a integer NOT NULL, ADD COLUMN b integer DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN a timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE jobs ADD COLUMN a bigserial",
        "ALTER TABLE jobs ADD COLUMN a integer GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE jobs ADD COLUMN a integer GENERATED ALWAYS AS (attempts + 1) STORED",
        "ALTER TABLE jobs ADD COLUMN a integer DEFAULT 0 CHECK (a > 0)",
        "ALTER TABLE jobs ADD COLUMN a uuid REFERENCES feeds",
        "ALTER TABLE jobs ADD CONSTRAINT positive CHECK (attempts > 0)",
        "ALTER TABLE jobs ADD CONSTRAINT one UNIQUE (feed_id)",
        "ALTER TABLE jobs VALIDATE CONSTRAINT positive",
        "ALTER TABLE jobs ALTER COLUMN attempts TYPE bigint",
        "ALTER TABLE jobs ALTER COLUMN outcome SET NOT NULL",
        "ALTER TABLE jobs ALTER COLUMN released DROP DEFAULT",
        "ALTER TABLE jobs DROP COLUMN outcome",
        "ALTER TABLE jobs RENAME COLUMN outcome TO ending",
        "DROP TABLE jobs",
        "CREATE INDEX jobs_by_kind ON jobs (kind)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_by_kind ON jobs (kind)",
        "DROP INDEX jobs_by_feed",
        "UPDATE jobs SET kind = 'ingest'",
        "INSERT INTO jobs SELECT * FROM feeds",
        "LOCK TABLE jobs",
        "TRUNCATE jobs",
        "CREATE TABLE copy AS SELECT * FROM jobs",
        f"{OUTSIDE}CREATE INDEX CONCURRENTLY jobs_by_kind ON jobs (kind)",
        f"{OUTSIDE}ALTER TABLE jobs ADD COLUMN a integer",
        "COMMENT ON TABLE new IS 'one; two'",
    ],
)
def test_what_may_hold_somebody_up_is_found(statement: str):
    text = (
        statement if statement.startswith("--") else f"CREATE TABLE new (a integer);\n{statement}"
    )
    assert len(list(faults(Migration("0009_new", text)))) == 1


def test_a_step_can_need_only_one_before_it():
    """So the version that was there last goes on working, whatever a step takes away."""
    step = Migration("0009_new", "-- Needs: 0009_new\nALTER TABLE jobs DROP COLUMN outcome;")
    assert "no step before it" in next(faults(step, ["0008_before"]))

"""How a database gets its tables, whoever else is starting, and when it refuses."""

import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from attrs import evolve

from adapters.postgres import migrations
from adapters.postgres.connection.locks import try_migrating
from adapters.postgres.ingest.session_tables import sql_type
from adapters.postgres.migrations import Migration, all_migrations, migrate
from commerce_core.base.errors import Unavailable
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, assert_waits

STEPS = [
    Migration("0001_first", "CREATE TABLE first (number integer)"),
    Migration("0002_second", "INSERT INTO first VALUES (1)"),
]
BROKEN = Migration("0002_second", "INSERT INTO first VALUES (1); INSERT INTO nowhere VALUES (1)")


def query(database: str, text: str) -> Sequence[tuple[Any, ...]]:
    with psycopg.connect(database) as db:
        return db.execute(text.encode()).fetchall()


def taken(database: str) -> list[str]:
    return [row[0] for row in query(database, "SELECT name FROM schema_migrations ORDER BY name")]


def test_every_step_is_taken_once(new_database: str):
    """Migrating again, by a version that has more steps too, takes only those that are missing."""
    migrate(new_database, STEPS[:1])
    migrate(new_database, STEPS)
    migrate(new_database, STEPS)
    assert taken(new_database) == ["0001_first", "0002_second"]
    assert query(new_database, "SELECT number FROM first") == [(1,)]


def test_many_start_at_once(new_database: str):
    """Of processes that start at the same moment one migrates; all find the database ready."""
    together(*[lambda: migrate(new_database)] * 6)
    assert taken(new_database) == [step.name for step in all_migrations()]


def test_a_step_that_fails_leaves_nothing(new_database: str):
    """A step is taken whole or not at all; those before it stay, and it can be tried again."""
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(new_database, [STEPS[0], BROKEN])
    assert taken(new_database) == ["0001_first"]
    assert query(new_database, "SELECT number FROM first") == []
    migrate(new_database, STEPS)
    assert query(new_database, "SELECT number FROM first") == [(1,)]


def test_the_second_comer_waits(new_database: str):
    """While another process migrates a starter waits, and then goes on."""
    with psycopg.connect(new_database, autocommit=True) as other:
        assert try_migrating(other)
        starting = meanwhile(lambda: migrate(new_database, STEPS))
        assert_waits(starting)
    starting.result(PATIENCE)
    assert taken(new_database) == ["0001_first", "0002_second"]


def test_waiting_has_an_end(new_database: str, monkeypatch: pytest.MonkeyPatch):
    """Where the other one doesn't come to its end a starter is told so."""
    monkeypatch.setattr(migrations, "PATIENCE", 0.1)
    with psycopg.connect(new_database, autocommit=True) as other:
        assert try_migrating(other)
        with pytest.raises(Unavailable, match="for too long"):
            migrate(new_database, STEPS)


def test_a_step_that_expands_ends_no_older_version(new_database: str):
    """An older version goes on with a database that has steps it knows nothing of."""
    migrate(new_database, STEPS)
    migrate(new_database, STEPS[:1])
    assert taken(new_database) == ["0001_first", "0002_second"]


def test_a_step_that_contracts_ends_those_who_lack_what_it_needs(new_database: str):
    """The version before it can go on; the one before that is told which one can."""
    gone = Migration("0003_gone", "-- Needs: 0002_second\nALTER TABLE first DROP COLUMN number;")
    migrate(new_database, [*STEPS, gone])
    migrate(new_database, STEPS)
    with pytest.raises(Unavailable, match=r"newer version.*0003_gone.*has 0002_second") as refused:
        migrate(new_database, STEPS[:1])
    assert refused.value.code == "database_newer"


def test_a_database_of_a_version_that_noted_no_needs_is_worked_with(new_database: str):
    """The list of steps as it was made at first gets what it lacks with the next step."""
    with psycopg.connect(new_database) as db:
        db.execute(
            """
            CREATE TABLE schema_migrations (
                name text PRIMARY KEY,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        db.execute(
            "INSERT INTO schema_migrations VALUES (%s, %s)", [STEPS[0].name, STEPS[0].checksum]
        )
        db.execute("CREATE TABLE first (number integer)")
    migrate(new_database, STEPS)
    assert query(new_database, "SELECT needs FROM schema_migrations") == [(None,), (None,)]


def test_a_step_never_changes(new_database: str):
    """A database that was given another text under a step's name is refused."""
    migrate(new_database, STEPS)
    changed = evolve(STEPS[0], text="CREATE TABLE first (number bigint)")
    with pytest.raises(Unavailable, match="0001_first") as refused:
        migrate(new_database, [changed, STEPS[1]])
    assert refused.value.code == "database_differs"


def test_steps_are_numbered():
    """The names of the files say their order; two of a number are told apart by a letter."""
    numbers = [step.name.partition("_")[0] for step in all_migrations()]
    assert all(re.fullmatch(r"\d{4}[a-z]?", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_the_schema_uses_core_features_alone():
    """No extension, no trigger, no procedural code: any PostgreSQL of a supported version does."""
    text = "\n".join(re.sub(r"--.*", "", step.text) for step in all_migrations())
    assert not re.search(
        r"\b(EXTENSION|TRIGGER|FUNCTION|PROCEDURE|LANGUAGE|DO)\b", text, re.IGNORECASE
    )


def test_products_have_a_column_of_the_right_type_for_each_field(database: str):
    """The table of products keeps every field of the schema, as the type that feeds are staged."""
    columns = dict(
        query(
            database,
            """
            SELECT attname, atttypid::regtype::text
            FROM pg_attribute
            WHERE attrelid = 'products'::regclass AND attnum > 0
            """,
        )
    )
    spelled = {"int8": "bigint", "timestamptz": "timestamp with time zone"}
    wanted = {name: sql_type(BY_NAME[name].kind) for name in PRODUCT_FIELDS}
    assert {name: columns[name] for name in PRODUCT_FIELDS} == {
        name: spelled.get(type_, type_) for name, type_ in wanted.items()
    }


def test_history_has_the_columns_of_products(database: str):
    """What a product was can be kept whole; by what it is recognised is of the live row alone."""
    columns = """
        SELECT attname, atttypid, attcollation
        FROM pg_attribute
        WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped
          AND attname NOT LIKE 'fingerprint%'
        """
    live = set(query(database, columns.format("products")))
    kept = set(query(database, columns.format("product_versions")))
    assert live < kept
    assert {name for name, *_ in kept - live} == {"replaced_by"}


@pytest.mark.parametrize("table", ["sources", "feeds", "products", "product_versions"])
def test_keys_of_a_partners_tables_begin_with_the_partner(database: str, table: str):
    """So that partners can one day be spread over several machines."""
    ((first,),) = query(
        database,
        f"""
        SELECT attname
        FROM pg_index
        JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = '{table}'::regclass AND indisprimary
        """,
    )
    assert first == "partner_id"


def test_text_that_is_a_key_or_sorts_has_the_same_order_everywhere(database: str):
    """Every text column of an index sorts by code point, whatever the database's locale."""
    others = query(
        database,
        """
        SELECT c.relname, a.attname
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = i.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'schema_migrations'
          AND a.attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)
        """,
    )
    assert others == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", "-0.01"),
        ("price", "'NaN'"),
        ("price", "1000000000000"),
        ("sale_price", "-1"),
        ("quantity", "-1"),
        ("weight", "'Infinity'"),
        ("product_name", "''"),
        ("sku", "''"),
        ("version", "0"),
        ("status", "'gone'"),
        ("currency", "NULL"),
    ],
)
def test_a_product_that_exists_is_valid(database: str, column: str, value: str):
    """What the core refuses the table refuses too, whoever writes to it."""
    values = {
        "partner_id": "gen_random_uuid()",
        "product_id": "gen_random_uuid()",
        "source_id": "gen_random_uuid()",
        "publication_id": "gen_random_uuid()",
        "created_at": "now()",
        "line": "2",
        "version": "1",
        "ordinal": "1",
        "status": "'active'",
        "sku": "'A'",
        "product_name": "'A'",
        "price": "1",
        "currency": "'EUR'",
    }
    insert = "INSERT INTO products ({}) VALUES ({}) RETURNING 1"
    good, bad = (
        insert.format(", ".join(row), ", ".join(row.values()))
        for row in (values, {**values, column: value})
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        query(database, bad)
    assert query(database, good) == [(1,)]

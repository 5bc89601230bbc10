"""Columns that are sent as COPY's binary format arrive as the values that they say."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.ingest.copy_binary import (
    BEGINS,
    CELLS,
    ENDS,
    NotPlain,
    block_of,
    instant,
    numeric,
    texts,
)
from adapters.postgres.ingest.session_tables import sql_type
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS
from tests.support.examples import ONE_FIXTURE, scaled

Connect = Callable[[], psycopg.Connection]
WORDS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=300)
AMOUNTS = st.decimals(min_value=0, max_value=10**15, allow_nan=False, places=6).map(
    lambda amount: amount.normalize()
)
MOMENTS = st.datetimes(timezones=st.just(UTC))
ROWS = st.lists(
    st.tuples(
        st.none() | WORDS,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | AMOUNTS,
        st.none() | MOMENTS,
        st.none() | st.lists(WORDS, min_size=1, max_size=4),
        st.none() | st.dictionaries(WORDS, WORDS, max_size=3),
    ),
    min_size=1,
    max_size=20,
)
TYPES = {
    "text": pl.String, "int8": pl.Int64, "numeric": pl.String, "timestamptz": pl.String,
    "text[]": pl.List(pl.String), "jsonb": pl.String,
}  # fmt: skip


def as_sent(value: object) -> object:
    """A value in the form in which batches have it."""
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def spelled(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row whose amounts are told apart from those that are merely equal to them."""
    return tuple(f"{value:f}" if isinstance(value, Decimal) else value for value in row)


@settings(max_examples=scaled(60), suppress_health_check=ONE_FIXTURE)
@given(rows=ROWS)
def test_values_of_all_types_arrive(connect: Connect, rows: list[tuple[Any, ...]]):
    """Any of them may be NULL, and texts of any length stand between the others."""
    cells = [
        CELLS[type_](pl.Series([as_sent(row[n]) for row in rows], dtype=TYPES[type_]))
        for n, type_ in enumerate(TYPES)
    ]
    ids = np.frombuffer(b"".join(UUID(int=n).bytes for n in range(len(rows))), "V16")
    heads = {"id": ids, "number": np.arange(len(rows), dtype=">i4")}
    with connect() as db, db.transaction():
        db.execute(
            """
            CREATE TEMPORARY TABLE sent (
                id uuid, number int4,
                t text, i int8, n numeric, at timestamptz, ts text[], j jsonb
            ) ON COMMIT DROP
            """
        )
        with db.cursor() as cursor, cursor.copy("COPY sent FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(BEGINS + block_of(heads, cells) + ENDS)
        arrived = db.execute("SELECT * FROM sent ORDER BY number").fetchall()
    assert list(map(spelled, arrived)) == [
        spelled((UUID(int=n), n, *row)) for n, row in enumerate(rows)
    ]


def test_every_field_of_a_product_has_a_type_that_can_be_sent():
    assert {sql_type(BY_NAME[name].kind) for name in PRODUCT_FIELDS} <= CELLS.keys()


@pytest.mark.parametrize("amount", ["1e5", "-1", "", "NaN", "1.", ".5", "1 000"])
def test_amounts_in_another_form_are_refused(amount: str):
    with pytest.raises(NotPlain):
        numeric(pl.Series(["1.50", amount]))


def test_moments_in_another_form_are_refused():
    with pytest.raises(NotPlain):
        instant(pl.Series(["2026-03-01T09:00:00+00:00", "yesterday"]))


def test_lists_of_nothing_are_refused():
    with pytest.raises(NotPlain):
        texts(pl.Series([["a"], []]))

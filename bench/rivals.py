"""The rivals, as fixed text: what PostgreSQL's own tools do with the same files, unchecked.

    bare floor   COPY into a table of the eleven columns, a sequential id and its key
    floor        COPY into an empty copy of our table of products, with our columns and indexes
    expert       COPY into a staging table, then INSERT and UPDATE by set, into such a copy
    dlt          the library dlt, merging Arrow batches into tables of its own

`expert` is tried in both usual ways, by joins and by ON CONFLICT; what counts is the faster. It
removes nothing, keeps no history and checks nothing but types.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from bench.house import House

Rival = Literal["bare floor", "floor", "expert by join", "expert on conflict", "dlt"]

COLUMNS: Final = (
    "sku", "product_name", "description", "brand", "category", "price", "currency", "availability",
    "quantity", "gtin", "image_url",
)  # fmt: skip
_LIST: Final = ", ".join(COLUMNS)
_DLT: Final = Path(".venv/dlt/bin/python")

_BARE: Final = """
CREATE TABLE live (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner_id bigint NOT NULL DEFAULT 1,
    sku text COLLATE "C" NOT NULL,
    product_name text, description text, brand text, category text, price numeric, currency text,
    availability text, quantity bigint, gtin text, image_url text,
    UNIQUE (partner_id, sku)
);
"""
# What our table wants of every row besides: constants, and numbers that count up.
_LIKE_OURS: Final = """
CREATE TABLE live (LIKE products INCLUDING ALL);
CREATE SEQUENCE numbers;
CREATE SEQUENCE ordinals;
CREATE FUNCTION numbered(bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN ('0199aaaabbbbccccddddeeee' || lpad(to_hex($1), 8, '0'))::uuid;
ALTER TABLE live
    ALTER partner_id SET DEFAULT '01990000-0000-0000-0000-000000000001',
    ALTER source_id SET DEFAULT '01990000-0000-0000-0000-000000000002',
    ALTER publication_id SET DEFAULT '01990000-0000-0000-0000-000000000003',
    ALTER product_id SET DEFAULT numbered(nextval('numbers')),
    ALTER ordinal SET DEFAULT nextval('ordinals'),
    ALTER created_at SET DEFAULT now(),
    ALTER line SET DEFAULT 1,
    ALTER version SET DEFAULT 1,
    ALTER status SET DEFAULT 'active';
"""
_COPY: Final = f"\\copy live ({_LIST}) FROM '{{file}}' CSV HEADER\n"
_STAGE: Final = f"""
SET client_min_messages = warning;
DROP TABLE IF EXISTS incoming;
CREATE UNLOGGED TABLE incoming (
    sku text COLLATE "C", product_name text, description text, brand text, category text,
    price numeric, currency text, availability text, quantity bigint, gtin text, image_url text
);
\\copy incoming ({_LIST}) FROM '{{file}}' CSV HEADER
ANALYZE incoming;
"""
_OTHERS: Final = COLUMNS[1:]
_SET: Final = ", ".join(f"{name} = i.{name}" for name in _OTHERS)
_OLD: Final = ", ".join(f"live.{name}" for name in _OTHERS)
_NEW: Final = ", ".join(f"i.{name}" for name in _OTHERS)
_EXCLUDED: Final = ", ".join(f"excluded.{name}" for name in _OTHERS)
_BY_JOIN: Final = f"""
BEGIN;
UPDATE live SET {_SET}, version = live.version + 1
FROM incoming i
WHERE live.sku = i.sku AND ({_OLD}) IS DISTINCT FROM ({_NEW});
INSERT INTO live ({_LIST})
SELECT {_LIST} FROM incoming i
WHERE NOT EXISTS (SELECT FROM live WHERE live.sku = i.sku);
COMMIT;
"""  # noqa: S608 - names of ours
_ON_CONFLICT: Final = f"""
INSERT INTO live ({_LIST})
SELECT {_LIST} FROM incoming
ON CONFLICT (partner_id, sku) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in _OTHERS)}, version = live.version + 1
WHERE ({_OLD}) IS DISTINCT FROM ({_EXCLUDED});
"""  # noqa: S608 - names of ours
SCRIPTS: Final[dict[Rival, tuple[str, str]]] = {
    "bare floor": (_BARE, _COPY),
    "floor": (_LIKE_OURS, _COPY),
    "expert by join": (_LIKE_OURS, _STAGE + _BY_JOIN),
    "expert on conflict": (_LIKE_OURS, _STAGE + _ON_CONFLICT),
}
"""For each rival, the script that prepares it and the script that is measured."""


def prepared(house: House, rival: Rival, database: str) -> Callable[[Path], None]:
    """Creates the tables, and returns a function that loads a file into them."""
    if rival == "dlt":
        return lambda file: _dlt(house.url(database), file)
    tables, load = SCRIPTS[rival]
    house.psql(database, tables)
    return lambda file: house.psql(database, load.format(file=file))


def _dlt(url: str, file: Path) -> None:
    script = Path(__file__).with_name("load_with_dlt.py")
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    subprocess.run([_DLT, script, url, file], check=True, capture_output=True, env=quiet)  # noqa: S603

"""What a migration may do to a table that has rows, as a closed list: all else is a fault.

A new version migrates while the old one still runs. So a step may only add what the old one needn't
know, and may take no lock for as long as a table is read or written through. A step that takes
something away says which version it needs, and every version since then goes on working.
"""

import re
from collections.abc import Collection, Iterator

from adapters.postgres.migrations import Migration

_CONSTANT = r"""(-?\d+(\.\d+)?|'[^']*'(::\w+(\[\])?)?|TRUE|FALSE|NULL|ARRAY\[\]::\w+\[\])"""
_TYPE = r"""(?!\w*serial\b)[a-z]\w*(\(\d+(, ?\d+)?\))?(\[\])?( COLLATE "C")?"""
_DEFAULT = rf"( NULL| DEFAULT {_CONSTANT}( NOT NULL)?| NOT NULL DEFAULT {_CONSTANT})?"

CLAUSES = (
    rf'ADD COLUMN (IF NOT EXISTS )?["\w]+ {_TYPE}{_DEFAULT}',  # no row is read or written
    r"ADD CONSTRAINT \w+ (CHECK|FOREIGN KEY) .* NOT VALID",
    r"DROP CONSTRAINT (IF EXISTS )?\w+",
    rf"ALTER COLUMN \w+ (SET DEFAULT ({_CONSTANT}|now\(\)|pg_current_xact_id\(\))|DROP NOT NULL)",
    r"SET \(\w+ = \d+\)",
)
"""What an ALTER TABLE of a table with rows may say."""
CONTRACTING = (r"DROP COLUMN (IF EXISTS )?\w+", r"ALTER COLUMN \w+ DROP DEFAULT")
"""And what else in a step that says which version it needs."""
UNTRANSACTED = (
    r"CREATE (UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS \w+ ON .*",
    r"DROP INDEX CONCURRENTLY IF EXISTS \w+",
    r"ALTER TABLE \w+ VALIDATE CONSTRAINT \w+",
)
"""What stands in a step outside a transaction, and there alone: it bears being done again."""
_AGGREGATE = (r"CREATE AGGREGATE \w+ \(\w+\) \(SFUNC = \w+, STYPE = \w+\)",)
"""Of functions that the server has: nothing waits for it, and no older version knows it."""
_NEW_TABLE = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \(")
_OF_A_TABLE = re.compile(
    r"(ALTER TABLE|CREATE (?:UNIQUE )?INDEX \w+ ON|INSERT INTO|COMMENT ON TABLE) (\w+)"
)


def faults(step: Migration, earlier: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with a step, which comes after those of these names."""
    if step.needs is not None and step.needs not in earlier:
        yield f"It needs {step.needs}, which is no step before it: the version before would end."
    texts = [token for token in re.findall(r"--[^\n]*|'[^']*'", step.text) if token[0] == "'"]
    if re.search(r"\$\$|/\*", step.text) or any(";" in text or "--" in text for text in texts):
        yield "It can't be told where its statements end."
        return
    made: set[str] = set()
    for statement in step.statements:
        if found := _NEW_TABLE.match(statement):
            made.add(found[1])
        for part in _parts(step, statement, made):
            yield f"{part[:90]}: not among what is known to hold up nobody"


def _parts(step: Migration, statement: str, made: Collection[str]) -> Iterator[str]:
    """The parts of a statement that hold up others, or that may."""
    if not step.in_transaction:
        if not _is(UNTRANSACTED, statement):
            yield statement
        return
    table = _OF_A_TABLE.match(statement)
    if _NEW_TABLE.match(statement) or _is(_AGGREGATE, statement) or (table and table[2] in made):
        return
    if table is None or table[1] != "ALTER TABLE":
        if not (step.needs and _is((r"DROP TABLE (IF EXISTS )?\w+",), statement)):
            yield statement
        return
    allowed = (*CLAUSES, *(CONTRACTING if step.needs else ()))
    for clause in _clauses(statement[table.end() :]):
        if not _is(allowed, clause):
            yield f"ALTER TABLE {table[2]} {clause}"


def _is(allowed: Collection[str], text: str) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in allowed)


def _clauses(text: str) -> list[str]:
    """The clauses of an ALTER TABLE: what commas part, outside brackets and quotes."""
    pieces, depth = [""], 0
    for token in re.findall(r"'[^']*'|[^']", text):
        depth += (token in "([") - (token in ")]")
        if token == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += token
    return [piece.strip() for piece in pieces]

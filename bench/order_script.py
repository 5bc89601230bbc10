"""A script for pgbench with the statements of an order, as the server has logged them.

Two orders are placed while the server logs what it executes. What differs between their parameters
are new ids, which the script makes for each transaction; products are drawn; the rest is constant.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

UUID: Final = r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
_STATEMENT: Final = re.compile(
    r"LOG:  execute [^:]*: (?P<text>.*?)\n\S+ DETAIL:  Parameters: (?P<values>[^\n]*)\n"
    r"|LOG:  statement: (?P<plain>BEGIN|COMMIT)\n",
    re.DOTALL,
)
_VALUE: Final = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_INSTANT: Final = re.compile(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^']*'")

Logged = list[tuple[str, dict[str, str]]]
"""Statements, each with its parameters by number as SQL literals."""


def transaction(log: str) -> Logged:
    """The statements of the last transaction in the log."""
    found: Logged = []
    for match in _STATEMENT.finditer(log):
        if match["plain"] == "BEGIN":
            found = []
        text = match["plain"] or match["text"]
        found.append((text, dict(_VALUE.findall(match["values"] or ""))))
        if match["plain"] == "COMMIT":
            return found
    raise ValueError("The log has no whole transaction.")


def script(one: Logged, other: Logged, keys: Sequence[str], lines: Sequence[str]) -> str:
    """The script: `lines` set the variables `product_1`, ...; `keys` are the idempotency keys.

    The products of the first order are `ids_of(1)`, `ids_of(2)`, ...
    """
    constant = set(_ids(other))
    fresh = [id_ for id_ in dict.fromkeys(_ids(one)) if id_ not in constant]
    made = {
        id_: f"lpad(to_hex(:made::bigint), 24, '0') || '{number:08x}'"
        for number, id_ in enumerate(fresh)
    }
    for number in range(1, len(lines) + 1):
        made[id_of(number)] = f"lpad(to_hex(:product_{number}::bigint), 32, '0')"
    statements = [_filled(text, values, made, keys[0]) for text, values in one]
    numbers = ["\\set made random(1, 4611686018427387903)", *lines]
    return "\n".join([*numbers, *(f"{statement};" for statement in statements)]) + "\n"


def id_of(number: int) -> str:
    """The hexadecimal digits of the id of a product."""
    return f"{number:032x}"


def _ids(logged: Logged) -> Iterator[str]:
    for _, values in logged:
        for value in values.values():
            yield from (found.replace("-", "") for found in re.findall(UUID, value))


def _filled(text: str, values: dict[str, str], made: dict[str, str], key: str) -> str:
    """The statement with its parameters in place, on one line."""

    def literal(match: re.Match[str]) -> str:
        value = values[match[1]]
        if _INSTANT.fullmatch(value):
            return "now()"
        # pgbench takes a name right after a colon for one of its variables.
        value = value.replace('":', '": ')
        new = re.sub(UUID, lambda found: _placed(found[0], made), value)
        new = new.replace(f"'{key}'", "('key' || :made::bigint)")
        if new == value or new.startswith("("):
            return new
        return f"({new}){_cast(value)}"

    text = re.sub(r"--[^\n]*", "", text)
    return re.sub(r"\s+", " ", re.sub(r"\$(\d+)", literal, text)).strip()


def _placed(id_: str, made: dict[str, str]) -> str:
    expression = made.get(id_.replace("-", ""))
    return id_ if expression is None else f"' || {expression} || '"


def _cast(value: str) -> str:
    if re.fullmatch(f"'{UUID}'", value):
        return "::uuid"
    return "::jsonb" if re.match(r"'\{\"\w+\": ", value) else ""


def read_from(path: Path, position: int) -> str:
    """What was written into a file since it had that size."""
    with path.open("rb") as file:
        file.seek(position)
        return file.read().decode()

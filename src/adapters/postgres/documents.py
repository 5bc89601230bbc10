"""The core's values as JSON documents and back, strictly, for jsonb columns.

A number never becomes a text nor a text a number unnoticed: amounts are text, and what isn't of the
type declared is refused. What a newer version has added is skipped, so that both can be live.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs
import cattrs
from psycopg.types.json import Jsonb

T = TypeVar("T")


def _strictly(kind: type[T]) -> Callable[[object, object], T]:
    def check(value: object, _: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return check


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _parsed(parse: Callable[[str], T]) -> Callable[[Any, object], T]:
    return lambda text, _: parse(_strictly(str)(text, str))


def _converter() -> cattrs.Converter:
    made = cattrs.Converter()
    for kind in (str, int, bool):
        made.register_structure_hook(kind, _strictly(kind))
    made.register_structure_hook(float, _number)
    made.register_structure_hook(Decimal, _parsed(Decimal))
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(datetime, _parsed(datetime.fromisoformat))
    made.register_unstructure_hook(datetime, datetime.isoformat)
    made.register_structure_hook(bytes, _parsed(bytes.fromhex))
    made.register_unstructure_hook(bytes, bytes.hex)
    return made


_CONVERTER: Final = _converter()


def document(value: object) -> Jsonb | None:
    """The parameter of a jsonb column that keeps this value; None (NULL) for None."""
    return None if value is None else Jsonb(_CONVERTER.unstructure(value))


def read_as(kind: type[T]) -> Callable[[object], T]:
    """Makes values of that type of what a jsonb column gives."""
    return lambda content: _CONVERTER.structure(content, kind)


def kind_of(value: object) -> str:
    """The name under which a value's class is found again."""
    return type(value).__name__


def kind_named(name: str) -> type[Any]:
    """The attrs class of the core that has this name, whichever module it stands in by now.

    LookupError if there is none: another version has kept something that this one doesn't know.
    """
    # Never a bare next(): a StopIteration can't leave a thread, so who waits would wait for ever.
    found = next((kind for kind in _classes_of_the_core() if kind.__name__ == name), None)
    if found is None:
        raise LookupError(f"the core has no class {name!r}")
    return found


def _classes_of_the_core() -> Iterator[type[Any]]:
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] == "commerce_core":
            yield from (v for v in vars(module).values() if isinstance(v, type) and attrs.has(v))

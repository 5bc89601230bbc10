"""The core's values as JSON documents and back, strictly, for jsonb columns.

Numbers never become text unnoticed, nor text numbers: amounts are text, and what isn't of the
declared type is refused. What a newer version has added is skipped, so that both can run.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar, get_args

import cattrs
import msgspec
from psycopg.types.json import Json, Jsonb

from commerce_core.base.durations import duration_text, read_duration
from commerce_core.feeds.place import SourceKind
from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.rules import Rule

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


def _duration(text: str) -> timedelta:
    duration = read_duration(text)
    if duration is None:
        raise ValueError(f"{text!r} is no duration")
    return duration


def _source_kind(kind: object, _: object) -> SourceKind:
    """As it is called now: answers that earlier versions have kept call `push` `upload`."""
    kinds: tuple[SourceKind, ...] = get_args(SourceKind)
    for known in kinds:
        if known == ("push" if kind == "upload" else kind):
            return known
    raise ValueError(f"{kind!r} is no kind of source")


def _converter() -> cattrs.Converter:
    made = cattrs.Converter()
    for kind in (str, int, bool):
        made.register_structure_hook(kind, _strictly(kind))
    made.register_structure_hook(float, _number)
    made.register_structure_hook(Decimal, _parsed(Decimal))
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(datetime, _parsed(datetime.fromisoformat))
    made.register_unstructure_hook(datetime, datetime.isoformat)
    made.register_structure_hook(date, _parsed(date.fromisoformat))
    made.register_unstructure_hook(date, date.isoformat)
    made.register_structure_hook(timedelta, _parsed(_duration))
    made.register_unstructure_hook(timedelta, duration_text)
    made.register_structure_hook(Rule, lambda form, _: read_rule(form))
    made.register_unstructure_hook(Rule, rule_form)
    made.register_structure_hook_func(lambda cl: cl == SourceKind, _source_kind)
    made.register_structure_hook(bytes, _parsed(bytes.fromhex))
    made.register_unstructure_hook(bytes, bytes.hex)
    return made


_CONVERTER: Final = _converter()
_DUMPS: Final = msgspec.json.Encoder(decimal_format="string").encode


def document(value: object) -> Jsonb | None:
    """The value as a parameter for a jsonb column; None (NULL) for None."""
    return None if value is None else Jsonb(_CONVERTER.unstructure(value), dumps=_DUMPS)


def content(value: object) -> object:
    """The value as the content of a jsonb column, to be part of a larger document."""
    return _CONVERTER.unstructure(value)


def rows_document(rows: Sequence[Mapping[str, object]]) -> Json:
    """Rows as one parameter for `json_to_recordset`.

    For the few rows of an order, writing it takes less than an array for each column does.
    """
    return Json(rows, dumps=_DUMPS)


def read_as(kind: type[T]) -> Callable[[object], T]:
    """A function that turns the content of a jsonb column into a value of that type."""
    return lambda content: _CONVERTER.structure(content, kind)

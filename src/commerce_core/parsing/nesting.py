"""Records within records: the variants of a product in a list of its own, which the profile names.

    products[]/variants[]                    a list of JSON, each member of which has a list
    products[]                               the same as products: the list within is a cell
    []/variants[]                            the file is the list, or has one object a line
    data/products/edges[]/node/skus[]        keys between lists are objects around the next one
    products/product[]/variants/variant[]    the elements of XML that are records, each with [] too

Each member of the innermost list is a record. What is around it is there as well, under `../` and
its name: `../title`, for the next one further out `../../title`. An object that has no such members
is a record of what is around them alone, so that none is lost. Objects in such records are columns
by their paths, as those of XML are: `price/amount`.

A record whose list looks like variants is never read as one product unless the profile declares a
path, be it `products[]`: its own price and its own id might be anything.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import squash
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.objects import WRITER, SentObject
from commerce_core.profiles.mapping import AROUND
from commerce_core.schema.fields import BY_NAME

LONGEST_NAME: Final = 200
"""Characters of a path up to which the members of an object are columns of their own."""
_DEEPEST_LOOK: Final = 4
_OBJECTS_LOOKED_AT: Final = 3
NESTED: Final = "nested_records"
"""The code with which files are refused whose records have records in them."""
_BROKEN: Final = "malformed_json"


def _names_of(*fields: str) -> frozenset[str]:
    names = (name for known in fields for name in (known, *BY_NAME[known].aliases))
    return frozenset(map(squash, names))


_KEYS: Final = _names_of("sku", "gtin")
_PRICES: Final = _names_of("price", "sale_price") | {"prices", "pricing", "pricing_info"}
_AMOUNTS: Final = frozenset({"amount", "price", "value", "centamount", "currencycode"})
_VARIANTS: Final = frozenset(
    {"variants", "variant", "variations", "variation", "productvariants", "productvariant"}
    | {"skus", "combinations", "combination", "children", "simples", "articles", "offers"}
)


@frozen
class Nesting:
    """Where records are within the objects of a file, which are at `where`.

    `levels` are the keys that lead from an object to the list in it, and then to the list in its
    members; `tail` those that lead from a member to what is the record. If nothing is declared,
    there are none. `misplaced` is the path to declare where the file has records around those that
    were found.
    """

    where: str = "[]"
    levels: tuple[tuple[str, ...], ...] = ()
    tail: tuple[str, ...] = ()
    is_declared: bool = False
    misplaced: str | None = None

    def at(self, outer: str) -> "Nesting":
        """The same, for objects that were found at this path."""
        return evolve(self, where=f"{outer}[]")

    def unfolded(self, objects: Iterator[SentObject], line: int) -> Iterator[SentObject]:
        """The records of JSON; FileRefused if they are more than the profile declares."""
        if self.levels or self.tail:
            return _Unfolding(self.levels, self.tail).unfold(objects)
        return objects if self.is_declared else self._checked(objects, line)

    def checked(self, elements: Iterator[SentObject], line: int) -> Iterator[SentObject]:
        """The records of XML; the same."""
        if self.misplaced:
            raise nested_records(self.misplaced, line)
        if self.is_declared:
            yield from elements
            return
        known = set[str]()
        for sent in elements:
            members = sent[2] or {}
            if not known >= members.keys() or list in map(type, members.values()):
                for key, value in members.items():
                    seen = f"{key}[]" if type(value) is list else key
                    if seen in known:
                        continue
                    known.update((seen, key))
                    if within := _element_within(members, key):
                        raise nested_records(f"{self.where}/{within}[]", sent[0])
            yield sent

    def _checked(self, objects: Iterator[SentObject], line: int) -> Iterator[SentObject]:
        if self.misplaced:
            raise nested_records(self.misplaced, line)
        for sent in objects:
            members = sent[2]
            if members is not None:
                for key, value in members.items():
                    if type(value) is str or not isinstance(value, list | dict):
                        continue
                    if within := list_within(key, cast("object", value)):
                        raise nested_records(f"{self.where}/{within}", sent[0])
                    if are_prices(key, cast("object", value), members):
                        raise nested_records(f"{self.where}/{key}[]", sent[0])
            yield sent


UNDECLARED: Final = Nesting()
DECLARED: Final = Nesting(is_declared=True)


def nested_records(record_path: str, line: int) -> FileRefused:
    """The refusal of a file whose records have lists of records, of which none is declared."""
    outer, inner = record_path.split("[]")[:2]
    detail = (
        f"The records have records in them, such as the variants of a product: {inner.strip('/')}."
    )
    remedy = (
        f'Declare where the records are: record_path = "{record_path}" for those within, whose '
        f'columns then include those around them (../title); record_path = "{outer}[]" for the '
        "outer ones."
    )
    return FileRefused(NESTED, detail, remedy, line=line, record_path=record_path)


def nesting_of(record_path: str | None) -> tuple[str | None, Nesting]:
    """The path to the list of a file's objects, and what is in them, as a profile declares both.

    The path is None if the profile declares none, and blank if the file itself is the list.
    """
    if record_path is None:
        return None, UNDECLARED
    lists = record_path.strip("/").split("[]")
    if len(lists) == 1:
        return lists[0], DECLARED
    inner = [tuple(filter(None, keys.split("/"))) for keys in lists[1:]]
    levels, tail = tuple(inner[:-1]), inner[-1]
    return lists[0].strip("/"), Nesting(f"{lists[0]}[]", levels, tail, is_declared=True)


def list_within(key: str, value: object) -> str | None:
    """The path to a list of variants that is the value of a key, or within it; None if none is."""
    return _list_at((key,), value)


def are_prices(key: str, value: object, around: Collection[str]) -> bool:
    """Whether a list has the prices of a record that has no other, one for each currency."""
    if squash(key) not in _PRICES or not isinstance(value, list):
        return False
    if not _names_of("price").isdisjoint(map(squash, around)):
        return False
    first = next(iter(cast("list[object]", value)), None)
    if not isinstance(first, dict):
        return False
    return not _AMOUNTS.isdisjoint(map(squash, cast("dict[str, object]", first)))


def _list_at(path: tuple[str, ...], value: object) -> str | None:
    if isinstance(value, dict) and len(path) < _DEEPEST_LOOK:
        members = cast("dict[str, object]", value).items()
        found = (_list_at((*path, key), inner) for key, inner in members if inner)
        return next(filter(None, found), None)
    if not isinstance(value, list):
        return None
    some = cast("list[object]", value)[:_OBJECTS_LOOKED_AT]
    objects = [cast("dict[str, object]", member) for member in some if isinstance(member, dict)]
    return next((found for each in objects if (found := _variant_path(path, each))), None)


def _variant_path(path: tuple[str, ...], member: dict[str, object]) -> str | None:
    """The path to the list, and into its members, if these are variants."""
    at = "/".join(path)
    for tail, each in (("", member), *_only_objects(member)):
        names = {squash(name) for name in each}
        is_called_so = not _VARIANTS.isdisjoint(map(squash, path))
        if not names.isdisjoint(_KEYS) and (is_called_so or not names.isdisjoint(_PRICES)):
            return f"{at}[]{tail}"
    return None


def _only_objects(member: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """The objects in a member of a list, as in `edges: [{node: {...}}]`."""
    for key, value in member.items():
        if isinstance(value, dict):
            yield f"/{key}", cast("dict[str, object]", value)


def _element_within(members: Mapping[str, Any], key: str) -> str | None:
    """The path to the elements that are variants, if this is the key of one; None if it isn't."""
    within, _, name = key.replace("@", "/").rpartition("/")
    if not within or squash(name.rpartition(":")[2]) not in _KEYS:
        return None
    if not _VARIANTS.isdisjoint(squash(part.rpartition(":")[2]) for part in within.split("/")):
        return within
    places = (other.replace("@", "/") for other in members)
    behind = (place[len(within) + 1 :] for place in places if place.startswith(f"{within}/"))
    names = {squash(place.split("/")[0].rpartition(":")[2]) for place in behind}
    return within if type(members[key]) is list and not names.isdisjoint(_PRICES) else None


def has_key_of_record(names: Sequence[str]) -> bool:
    """Whether an object or element with these names identifies a product, or has its price."""
    own = {squash(name.rpartition(":")[2].lstrip("@")) for name in names}
    return not own.isdisjoint(_KEYS | _PRICES)


def is_called_variants(*names: str) -> bool:
    """Whether a list by one of these names is one of variants."""
    return not _VARIANTS.isdisjoint(squash(name.rpartition(":")[2]) for name in names)


@define
class _Unfolding:
    """Makes records of the innermost members of objects, with what is around them."""

    _levels: tuple[tuple[str, ...], ...]
    _tail: tuple[str, ...]
    _carrying: Carrying = field(factory=Carrying)

    def unfold(self, objects: Iterator[SentObject]) -> Iterator[SentObject]:
        for line, text, made, broken in objects:
            self._carrying.read += len(text)
            if made is None:
                yield line, text, None, broken
                continue
            for members in self._within(made, self._levels):
                if members is None:
                    yield line, text, None, _BROKEN
                    continue
                sent = f"{WRITER.encode(members)}\n"
                self._carrying.take(len(sent), line)
                yield line, sent, members, broken

    def _within(
        self, made: dict[str, Any] | Mapping[str, Any], levels: Sequence[tuple[str, ...]]
    ) -> Iterator[dict[str, Any] | None]:
        """The members of each record; None for one that is broken."""
        if not levels:
            yield self._flat(_at(made, self._tail) if self._tail else made, ())
            return
        own = self._flat(made, levels[0])
        inner = _members_of(_at(made, levels[0]))
        if own is None or inner is None:
            yield None
            return
        around = {AROUND * len(levels) + name: value for name, value in own.items()}
        if not inner:
            yield around
        for member in inner:
            if not isinstance(member, dict):
                yield None
                continue
            for found in self._within(cast("dict[str, Any]", member), levels[1:]):
                yield None if found is None else {**found, **around}

    def _flat(self, made: object, without: tuple[str, ...]) -> dict[str, Any] | None:
        """The members by their paths, without those that lead to the list within."""
        if not isinstance(made, dict):
            return None
        found = dict[str, Any]()
        whole = _flatten(cast("dict[str, Any]", made), "", without, found)
        return found if whole else None


def _flatten(
    made: dict[str, Any], prefix: str, without: tuple[str, ...], found: dict[str, Any]
) -> bool:
    """Adds the members; False if two have the same path.

    An object on the way to the list is no more than a wrapper: its members come without its name,
    unless they would have that of another one.
    """
    wrapped: dict[str, Any] = {}
    for key, value in made.items():
        name, rest = prefix + key, without[1:] if without[:1] == (key,) else None
        if rest == ():
            continue
        if isinstance(value, dict) and value and len(name) < LONGEST_NAME:
            inner = cast("dict[str, Any]", value)
            if rest is not None:
                whole = _flatten(inner, prefix, rest, wrapped)
                wrapped = {n: (f"{key}/", v) for n, v in wrapped.items()}
            else:
                whole = _flatten(inner, f"{name}/", (), found)
            if not whole:
                return False
        elif name in found:
            return False
        else:
            found[name] = value
    for name, (key, value) in wrapped.items():
        own = prefix + key + name.removeprefix(prefix) if name in found else name
        if own in found:
            return False
        found[own] = value
    return True


def _at(made: object, keys: Sequence[str]) -> object:
    """What is behind the keys; None if nothing is."""
    for key in keys:
        made = cast("dict[str, object]", made).get(key) if isinstance(made, dict) else None
    return made


def _members_of(found: object) -> list[object] | None:
    """The members of a list; None if it is none. PHP writes a list with gaps as an object."""
    if found is None:
        return []
    if isinstance(found, dict):
        numbered = cast("dict[str, object]", found)
        return list(numbered.values()) if all(key.isdecimal() for key in numbered) else None
    return cast("list[object]", found) if isinstance(found, list) else None

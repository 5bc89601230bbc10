"""What a record's text means is the same under other names, and never where reading differs."""

import io
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, fields
from hypothesis import given, note, settings
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused, InvalidInput
from commerce_core.parsing import meaning
from commerce_core.parsing.fingerprints import with_warnings
from commerce_core.parsing.meaning import meaning_of
from commerce_core.parsing.new_workbook import workbook
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.reader import Header, open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import (
    CANONICAL,
    Column,
    Group,
    Locations,
    Parents,
    Profile,
    Skip,
    Totals,
)
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record
from tests.support.engines import csv_text
from tests.support.examples import scaled

UTC = ZoneInfo("UTC")
File = tuple[list[str], Profile]
"""The header of a file, and by what it is read."""
FULL = Terms("full", "EUR", UTC)


def header(text: str | bytes, profile: Profile = CANONICAL, terms: Terms = FULL) -> Header:
    """What the first line of a file says."""
    body = text.encode() if isinstance(text, str) else text
    return open_feed(io.BytesIO(body), evolve(terms, profile=profile)).header


def under(text: str, profile: Profile = CANONICAL, terms: Terms = FULL) -> str:
    return meaning_of(header(f"{text}\n", profile, terms))


PLAIN = "sku,product_name,brand,price,currency,quantity,Status"
NAMED = "Nr,Titel,Marke,Preis,Währung,Lager,Zustand"
BY_NAMES = Profile(
    columns={
        "sku": Column(("Nr",)),
        "product_name": Column(("Titel",)),
        "brand": Column(("Marke",)),
        "price": Column(("Preis",)),
        "currency": Column(("Währung",)),
        "quantity": Column(("Lager",)),
    }
)
DRAFTS = Skip("Status", ("draft",), "a draft")
SAME = {
    "an alias": (PLAIN.replace("product_name", "title"), CANONICAL),
    "another spelling": (PLAIN.replace("product_name", "Product Name"), CANONICAL),
    "a column that nothing uses is renamed": (PLAIN.replace("Status", "State"), CANONICAL),
    "all are renamed, and mapped": (NAMED, BY_NAMES),
    "an entry of the profile in place of a name": (
        PLAIN,
        Profile(columns={"brand": Column(("brand",))}),
    ),
    "entries about columns that the file lacks": (
        PLAIN,
        Profile(
            columns={
                "gtin": Column(("EAN",), pattern="([0-9]+)"),
                "price": Column(("price", "VK")),
            },
            attributes=("Farbe",),
            skip=(Skip("Typ", ("Muster",), "a sample"),),
            names={"Farbe": ("colour",)},
            locations=Locations((("Handle", "SKU"),)),
        ),
    ),
    "a hint": (PLAIN, Profile(columns={"brand": Column(("brand",), hint="Write the brand.")})),
    "where the file is cut": (PLAIN, Profile(encoding="cp1252", delimiter=",", record_path="a/b")),
    "a column is needed that isn't there": (
        PLAIN,
        Profile(columns={"brand": Column(("brand",), needs=("Sichtbar",))}),
    ),
}
"""Headers and profiles under which the text means what it means under `PLAIN`."""
OTHER = {
    "a column more": (f"{PLAIN},note", CANONICAL, FULL),
    "a column less": (PLAIN.removesuffix(",Status"), CANONICAL, FULL),
    "another order": (PLAIN.replace("brand,price", "price,brand"), CANONICAL, FULL),
    "another field": (PLAIN.replace("brand", "mpn"), CANONICAL, FULL),
    "a column is no field any more": (PLAIN.replace("brand", "Marke"), CANONICAL, FULL),
    "a unit": (PLAIN.replace("price", "price (cents)"), CANONICAL, FULL),
    "a currency": (PLAIN.replace("price", "price (USD)"), CANONICAL, FULL),
    "a currency for all": (f"{PLAIN}(SiteID=US|Currency=USD)", CANONICAL, FULL),
    "it may be deleted": (PLAIN.replace("Status", "deleted"), CANONICAL, FULL),
    "delimiter": (PLAIN.replace(",", ";"), CANONICAL, FULL),
    "quotes": (PLAIN, Profile(quotes="none"), FULL),
    "mode": (PLAIN, CANONICAL, evolve(FULL, mode="delta")),
    "currency": (PLAIN, CANONICAL, evolve(FULL, currency="USD")),
    "no currency": (PLAIN, CANONICAL, evolve(FULL, currency=None)),
    "zone": (PLAIN, CANONICAL, evolve(FULL, zone=ZoneInfo("Europe/Rome"))),
    "decimal mark": (PLAIN, Profile(decimal=","), FULL),
    "the source's currency": (PLAIN, Profile(currency="CHF"), FULL),
    "escapes": (PLAIN, Profile(escapes="woocommerce"), FULL),
    "a constant": (PLAIN, Profile(constants={"condition": "new"}), FULL),
    "an attribute": (PLAIN, Profile(attributes=("Status",)), FULL),
    "a template for skus": (PLAIN, Profile(identity=("{Status}",)), FULL),
    "a rule": (PLAIN, Profile(skip=(DRAFTS,)), FULL),
    "a pair": (PLAIN, Profile(columns={"options": Column(pairs=(("=State", "Status"),))}), FULL),
    "one that is needed": (
        PLAIN,
        Profile(columns={"brand": Column(("brand",), needs=("Status",))}),
        FULL,
    ),
    "unless there are some": (
        PLAIN,
        Profile(columns={"brand": Column(("brand",), unless_positive=("quantity",))}),
        FULL,
    ),
    "a second column": (
        PLAIN,
        Profile(columns={"brand": Column(("brand", "Status"))}),
        FULL,
    ),
    "both columns joined": (
        PLAIN,
        Profile(columns={"brand": Column(("brand", "Status"), join=" ")}),
        FULL,
    ),
    "no aliases": (
        PLAIN,
        Profile(
            aliases=False,
            columns={n: Column((n,)) for n in ("sku", "product_name", "price", "currency")},
        ),
        FULL,
    ),
    "variants of a group": (PLAIN, Profile(group=Group("Handle")), FULL),
    "parents": (PLAIN, Profile(parents=Parents("Parent", ("{sku}",))), FULL),
    "totals": (PLAIN, Profile(totals=Totals("quantity", "Location")), FULL),
}
"""Headers, profiles and terms under which it may mean something else."""
COLUMNS = [
    Column(("brand",), pattern="(.*)"),
    Column(("brand",), pattern="(.+)x", otherwise="blank"),
    Column(("brand",), pattern="(.+)x", otherwise="problem"),
    Column(("brand",), values={"Lux": "Luxor"}),
    Column(("brand",), values={"Lux": "Lumen"}),
    Column(("brand",), decimal=","),
    Column(("brand",), unit="minor"),
    Column(("brand",), currency="CHF"),
    Column(("brand",), separator="/"),
    Column(("brand",), separator="/", part="first"),
    Column(("brand",), separator="/", part="rest"),
    Column(("brand",), dates="DD.MM.YYYY"),
    Column(("brand",), compare_at=True),
]
"""A column with each setting that says how it is read; whether that matters depends on the kind."""


@pytest.mark.parametrize("what", SAME)
def test_names_are_no_part_of_what_a_text_means(what: str):
    text, profile = SAME[what]
    assert under(text, profile) == under(PLAIN)


@pytest.mark.parametrize("what", OTHER)
def test_whatever_decides_what_a_text_means_is_part_of_it(what: str):
    text, profile, terms = OTHER[what]
    assert under(text, profile, terms) != under(PLAIN)


def test_each_setting_of_a_column_makes_another_meaning():
    assert len({under(PLAIN, Profile(columns={"brand": one})) for one in COLUMNS}) == len(COLUMNS)
    named = {name for one in COLUMNS for name in settings_of(one)}
    assert named | {*meaning._NOT_OF_COLUMNS} == {each.name for each in fields(Column)}


def settings_of(column: Column) -> list[str]:
    """What a column declares beside its names, and what it leaves open where others declare it."""
    bare = Column(("brand",))
    names = [each.name for each in fields(Column)]
    return [name for name in names if getattr(column, name) != getattr(bare, name)]


def test_whatever_a_profile_may_declare_is_part_of_it_or_left_out_by_name():
    kept = {"decimal", "currency", "escapes"}
    assert kept | {*meaning._NOT_OF_PROFILES} == {each.name for each in fields(Profile)}


def test_the_reason_of_a_rule_is_its_name():
    rules = [Skip("Status", ("draft",), "a draft"), Skip("Status", ("draft",), "not yet sold")]
    same = {under(PLAIN, Profile(skip=(rule,))) for rule in rules}
    same.add(
        under(PLAIN.replace("Status", "State"), Profile(skip=(evolve(DRAFTS, column="State"),)))
    )
    assert len(same) == 1
    assert under(PLAIN, Profile(skip=(Skip("Status", ("new",), "a draft"),))) not in same


def test_a_column_that_may_be_the_period_of_a_sale_is_part_of_it():
    """A sale price is left out where one has a cell that isn't read."""
    sale = f"{PLAIN},sale_price,"
    assert under(f"{sale}note") == under(f"{sale}remark")
    assert under(f"{sale}sale until") != under(f"{sale}note")
    assert under(f"{sale}sale until") == under(f"{sale}offer valid until")
    assert under(f"{PLAIN},1,sale until") == under(f"{PLAIN},1,note")


def test_names_that_become_values_are_part_of_it():
    other = PLAIN.replace("Status", "Colour")
    kept = Profile(attributes=("Status", "Colour"))
    assert under(PLAIN, kept) != under(other, kept)
    named = Profile(columns={"options": Column(pairs=(("=*", "* option"),))})
    assert under(f"{PLAIN},Size option", named) != under(f"{PLAIN},Colour option", named)


def test_records_that_name_their_cells_mean_something_else_under_other_names():
    """The text of such a record is no list of cells, and it may have further ones."""
    own, other = '{"sku": "1", "title": "A"}\n', '{"sku": "1", "name": "A"}\n'
    assert meaning_of(header(own)) != meaning_of(header(other))
    closed = Profile(
        aliases=False, columns={"sku": Column(("sku",)), "product_name": Column(("title",))}
    )
    assert meaning_of(header(own)) != meaning_of(header(own, closed))
    added = Profile(constants={"condition": "new"})
    assert meaning_of(header(own, added)) != meaning_of(header(own))
    item = (
        "<f><item><sku>1</sku><title>A</title></item><item><sku>2</sku><title>A</title></item></f>"
    )
    assert meaning_of(header(item)) != meaning_of(header(item.replace("title", "name")))


def test_how_many_columns_there_are_is_part_of_it():
    """A record with another number of cells is broken."""
    named = Profile(identity=("{brand}",))
    assert under(f"{PLAIN},note", named) != under(PLAIN, named)


def test_columns_around_the_records_of_a_sheet_are_part_of_it():
    """A row that has nothing in any other is no record."""
    meanings = [
        meaning_of(header(b"".join(workbook(iter([f"{CELL_END.join(names)}\n"])))))
        for names in (
            ("sku", "title", "price", "../note"),
            ("sku", "title", "price", "note"),
            ("sku", "title", "price", "text"),
        )
    ]
    assert meanings[0] != meanings[1] == meanings[2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("id,title", "sku,product_name"),
        ("id,title,x", "sku,product_name,x"),
        ("id,title,price,deleted", "sku,title,price,deleted"),
        ("id,title,7", "sku,title,7"),
    ],
)
def test_a_header_that_could_be_a_record_is_part_of_it(one: str, other: str):
    """Below itself it is skipped, below the other one it is a product."""
    seven = Profile(columns={"quantity": Column(("7",))})
    assert under(one, seven) != under(other, seven)


def read(text: str, terms: Terms) -> tuple[str, list[Record]]:
    reader = open_feed(io.BytesIO(text.encode(errors="replace")), terms)
    return meaning_of(reader.header), list(reader)


NAMES = (
    "sku", "Nr", "title", "Titel", "price", "price (cents)", "Preis (CHF)", "Preis", "quantity",
    "sale_price", "sale until", "special date", "Colour", "colour", "Size option", "brand",
    "weight (kg)", "weight", "x", "yes", "Status", "7", "deleted", "category", "currency",
    "../title", "",
)  # fmt: skip
FED = ("sku", "product_name", "price", "brand", "quantity", "options", "category", "sale_price")
name_of = st.sampled_from(NAMES)
columns = st.builds(
    Column,
    from_=st.lists(name_of.filter(bool), max_size=2, unique=True).map(tuple),
    join=st.sampled_from([None, None, "-"]),
    pairs=st.sampled_from(
        [(), (), (("=Colour", "colour"),), (("=*", "* option"),), (("x", "yes"),)]
    ),
    values=st.sampled_from([{}, {}, {"One": "Two"}]),
    decimal=st.sampled_from([None, None, ","]),
    needs=st.sampled_from([(), (), ("x",)]),
    unless_positive=st.sampled_from([(), (), ("7",)]),
)
profiles = st.builds(
    Profile,
    columns=st.dictionaries(st.sampled_from(FED), columns, max_size=3),
    constants=st.sampled_from([{}, {}, {"brand": "Lux"}, {"sku": "S"}]),
    identity=st.sampled_from([(), (), ("{x}",), ("{title}/{Colour}",)]),
    attributes=st.lists(name_of.filter(bool), max_size=2, unique=True).map(tuple),
    skip=st.sampled_from([(), (Skip("Status", ("new", "7"), "left out"),)]),
    aliases=st.sampled_from([True, True, True, False]),
    currency=st.sampled_from([None, None, "CHF"]),
    decimal=st.sampled_from([None, None, None, ","]),
    names=st.sampled_from([{}, {}, {"x": ("Colour", "yes")}]),
    escapes=st.sampled_from([None, None, None, "woocommerce"]),
)
headers = st.lists(name_of, max_size=4, unique=True).map(
    lambda some: list(dict.fromkeys(["sku", "title", "price", *some]))
)


def renamed(profile: Profile, new: Mapping[str, str]) -> Profile:
    """A profile that has new names for these columns wherever it names them."""

    def change(name: str) -> str:
        return new.get(name, name)

    def several(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(change, names))

    return evolve(
        profile,
        columns={
            name: evolve(
                column,
                from_=several(column.from_),
                needs=several(column.needs),
                unless_positive=several(column.unless_positive),
                pairs=tuple((change(name), change(value)) for name, value in column.pairs),
            )
            for name, column in profile.columns.items()
        },
        attributes=several(profile.attributes),
        skip=tuple(evolve(rule, column=change(rule.column)) for rule in profile.skip),
    )


@st.composite
def pairs_of_files(draw: st.DrawFn) -> tuple[File, File]:
    """Two headers with their profiles, of which the second is the first one after some changes."""
    names, profile = draw(headers), draw(profiles)
    before = (names, profile)
    for _ in range(draw(st.integers(1, 3))):
        match draw(
            st.sampled_from(["both", "both", "header", "header", "profile", "less", "move"])
        ):
            case "both":
                old, new = draw(st.sampled_from(names)), draw(name_of)
                names = [new if name == old else name for name in names]
                profile = renamed(profile, {old: new} if new else {})
            case "header":
                at = draw(st.integers(0, len(names) - 1))
                names = [*names[:at], draw(name_of), *names[at + 1 :]]
            case "profile":
                profile = draw(profiles)
            case "less":
                part = draw(
                    st.sampled_from(["columns", "constants", "identity", "attributes", "skip"])
                )
                profile = evolve(profile, **{part: getattr(CANONICAL, part)})
            case _:
                names = draw(st.permutations(names))
    return before, (names, profile)


@st.composite
def rows_for(draw: st.DrawFn, width: int) -> list[list[str]]:
    """Records of cells that read well, badly, or like a header."""
    cell = st.sampled_from(
        ["7", "7", "", "", "12.50", "new", "One", "'=x", "a\\,b", "Total", *NAMES]
    )
    first = (["A-1"], ["Lamp", "One", "'=x"], ["12.50", "7", "7,50"])
    usual = st.tuples(*map(st.sampled_from, first), *[cell] * (width - 3)).map(list)
    row = st.one_of(usual, usual, st.lists(cell, min_size=width, max_size=width))
    return draw(st.lists(row, min_size=2, max_size=5))


@settings(max_examples=scaled(1_000))
@given(data=st.data(), files=pairs_of_files(), mode=st.sampled_from(["full", "full", "delta"]))
def test_where_meanings_are_equal_records_are(
    data: st.DataObject, files: tuple[File, File], mode: Mode
):
    """Of records without an error, by which alone others are ever matched."""
    (one, profile), (other, changed) = files
    rows = data.draw(rows_for(len(one)))
    rows += [one, other] if len(one) == len(other) else []
    terms = Terms(mode, "EUR", UTC)
    try:
        first = read(csv_text(one, *rows), evolve(terms, profile=profile))
        second = read(csv_text(other, *rows), evolve(terms, profile=changed))
    except (FileRefused, InvalidInput):
        return
    note(first[0])
    if first[0] == second[0]:
        assert what_counts(first[1], second[1]) == what_counts(second[1], first[1])


def what_counts(records: Sequence[Record], others: Sequence[Record]) -> list[object]:
    """What records say that have a fingerprint, or whose counterparts do."""
    both = zip(records, others, strict=True)
    return [
        (one.sku, one.values, one.fate, [problem.code for problem in one.problems])
        for one, other in both
        if may_be_known(one) or may_be_known(other)
    ]


def may_be_known(record: Record) -> bool:
    return record.fate is None and with_warnings((0, 0), record.problems) is not None

"""Profiles as files: what is written can be read back; faults are reported with their place."""

import json
import tomllib

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.profiles.checks import faults_of
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import DELIMITERS, PRESETS, Column, Group, Profile, Skip
from commerce_core.schema.fields import BY_NAME
from entrypoints.profile_files import LONGEST_PROFILE, read_profile, write_json, write_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
MARKS = st.sampled_from([None, ".", ","])
COLUMNS = st.builds(
    Column,
    from_=NAMES,
    join=st.none() | TEXTS,
    pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    pattern=st.sampled_from([None, "([0-9]+) new", r"(\d+)\s?'x'", '"([^"]*)"']),
    otherwise=st.sampled_from(["problem", "blank"]),
    values=st.dictionaries(TEXTS, TEXTS, max_size=3),
    decimal=MARKS,
    unit=st.sampled_from([None, "major", "minor", "kg"]),
    currency=st.sampled_from([None, "EUR"]),
    separator=st.none() | TEXTS,
    part=st.sampled_from([None, "first", "rest"]),
    dates=st.sampled_from([None, "DD.MM.YYYY hh:mm"]),
    needs=NAMES,
)
FIELDS = st.sampled_from(sorted(BY_NAME))
PROFILES = st.builds(
    Profile,
    preset=st.sampled_from(PRESETS),
    encoding=st.sampled_from([None, "cp1252"]),
    delimiter=st.sampled_from([None, *DELIMITERS]),
    decimal=MARKS,
    currency=st.sampled_from([None, "JPY"]),
    columns=st.dictionaries(FIELDS, COLUMNS, max_size=3),
    constants=st.dictionaries(FIELDS, TEXTS, max_size=2),
    identity=st.lists(st.just("{a}/{b}"), max_size=2).map(tuple),
    attributes=NAMES,
    skip=st.lists(st.builds(Skip, TEXTS, NAMES, TEXTS), max_size=2).map(tuple),
    group=st.none() | st.builds(Group, TEXTS, NAMES, NAMES, st.none() | TEXTS),
    aliases=st.booleans(),
)


def fit(profile: Profile) -> Profile:
    """The profile without the columns and constants that don't fit their fields."""
    unfit = {fault.pointer.split("/")[2] for fault in faults_of(profile) if fault.pointer}
    kept = {name: c for name, c in profile.columns.items() if name not in unfit}
    constants = {name: text for name, text in profile.constants.items() if name not in unfit}
    return evolve(profile, columns=kept, constants=constants)


@given(PROFILES.map(fit))
def test_a_profile_written_is_the_profile_read(profile: Profile):
    assert read_profile(write_toml(profile).encode()) == profile
    assert read_profile(write_json(profile).encode()) == profile


@pytest.mark.parametrize("profile", PRESET_PROFILES.values(), ids=list(PRESET_PROFILES))
def test_presets_can_be_written(profile: Profile):
    assert read_profile(write_toml(profile).encode()) == profile


def test_a_profile_is_written_as_a_person_would():
    profile = Profile(
        encoding="cp1252",
        columns={
            "sku": Column(("Art.-Nr.",)),
            "price": Column(("Preis",), decimal=",", values={"auf Anfrage": ""}),
            "quantity": Column(("Bestand",), pattern=r"(\d+) .*"),
        },
        skip=(Skip("Status", ("draft",), "a draft"),),
    )
    assert write_toml(profile) == (
        'encoding = "cp1252"\n\n'
        "[columns]\n"
        'sku = "Art.-Nr."\n'
        'price = { from = "Preis", values = { "auf Anfrage" = "" }, decimal = "," }\n'
        "quantity = { from = \"Bestand\", pattern = '(\\d+) .*' }\n\n"
        "[[skip]]\n"
        'column = "Status"\n'
        'words = ["draft"]\n'
        'reason = "a draft"\n'
    )


def test_the_default_profile_says_nothing():
    assert tomllib.loads(write_toml(Profile())) == json.loads(write_json(Profile())) == {}
    assert read_profile(b"") == Profile()


def test_a_long_list_takes_a_line_for_each_member():
    profile = Profile(attributes=tuple(f"a rather long column {n}" for n in range(9)))
    assert max(map(len, write_toml(profile).splitlines())) < 40


def test_a_name_can_stand_for_a_list_of_one():
    read = read_profile(
        b'identity = "{a}"\n[columns]\nprice = "P"\nsku = {from = "S"}\nmpn = ["M"]'
    )
    assert read.identity == ("{a}",)
    assert [column.from_ for column in read.columns.values()] == [("P",), ("S",), ("M",)]


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("presett = 1", "/presett", "unknown_field"),
        ("preset = 1", "/preset", "not_a_text"),
        ('preset = "opencart"', "/preset", "not_one_of"),
        ("aliases = 1", "/aliases", "not_a_boolean"),
        ('columns = "price"', "/columns", "not_an_object"),
        ("[columns]\nprice = 5", "/columns/price", "not_an_object"),
        ("[columns]\nprice = {form = 'P'}", "/columns/price/form", "unknown_field"),
        ("[columns]\nprice = {from = ['P', 5]}", "/columns/price/from/1", "not_a_text"),
        ("[columns]\nprice = {pattern = '('}", "/columns/price/pattern", "bad_pattern"),
        ("[columns]\ncolour = 'C'", "/columns/colour", "unknown_field"),
        ("[columns]\noptions = {pairs = [['a']]}", "/columns/options/pairs", "bad_pairs"),
        ("[[skip]]\ncolumn = 'S'\nwords = ['d']", "/skip/0/reason", "required"),
        ('currency = "EURO"', "/currency", "unknown_currency"),
        ("this is no TOML", "", "not_toml"),
        ("{not json}", "", "not_json"),
    ],
)
def test_a_fault_is_reported_with_its_place(text: str, pointer: str, code: str):
    with pytest.raises(InvalidInput) as refused:
        read_profile(text.encode())
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


@pytest.mark.parametrize("content", [b"\xff", b" " * (LONGEST_PROFILE + 1), b"[" * 5000])
def test_what_is_no_profile_is_refused(content: bytes):
    with pytest.raises(InvalidInput):
        read_profile(content)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes):
    try:
        profile = read_profile(content)
    except InvalidInput:
        return
    assert isinstance(profile, Profile)

"""The header of a file: which column feeds which field, and when nobody can know."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import squash
from commerce_core.profiles.mapping import MOST_COLUMNS, HeaderMapping
from commerce_core.profiles.mapping import map_header as lay_out_by
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import FIELDS, Mode

SPELLINGS = [(field.name, name) for field in FIELDS for name in (field.name, *field.aliases)]


def map_header(header: Sequence[str], mode: Mode, line: int = 1) -> HeaderMapping:
    return lay_out_by(header, mode, Profile(), None, line)


def fed(mapping: HeaderMapping) -> dict[str, int]:
    return {name: feeding.indexes[0] for name, feeding in mapping.field_mappings.items()}


def lay(header: str, mode: Mode = "delta") -> HeaderMapping:
    return map_header(header.split(","), mode)


def refusal(cells: list[str], mode: Mode = "delta", line: int = 1) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        map_header(cells, mode, line)
    assert refused.value.line == line
    return refused.value


def test_no_spelling_belongs_to_two_fields():
    counted = Counter(squash(spelling) for _, spelling in SPELLINGS)
    assert [spelling for spelling, times in counted.items() if times > 1] == []


@pytest.mark.parametrize(("field", "spelling"), SPELLINGS, ids=[name for _, name in SPELLINGS])
def test_a_field_is_found_by_its_name_and_by_each_alias(field: str, spelling: str):
    header = [spelling] if field == "sku" else ["sku", spelling]
    mapping = map_header(header, "delta")
    assert mapping.field_mappings[field].indexes[0] == len(header) - 1
    assert mapping.column_of(field) == spelling
    assert mapping.unused == ()


@pytest.mark.parametrize(
    "spelling",
    [
        "Product Name",
        "PRODUCT_NAME",
        "product-name",
        " product\xa0name ",
        "ProductName",
        "\ufeffproduct__name",
    ],
)
def test_headers_match_without_case_blanks_underscores_and_hyphens(spelling: str):
    assert map_header(["sku", spelling], "full").field_mappings["product_name"].indexes[0] == 1


def test_the_column_is_named_as_the_partner_wrote_it_but_for_blanks_around():
    mapping = map_header([" SKU ", "Product  Name\u200b"], "full")
    assert mapping.header == ("SKU", "Product  Name")
    assert mapping.column_of("product_name") == "Product  Name"
    assert mapping.column_of("price") is None


@pytest.mark.parametrize(
    ("header", "index", "unused"),
    [
        ("id,sku", 1, ("id",)),
        ("sku,id,item_id", 0, ("id", "item_id")),
        ("ID,offer id,S-K-U", 2, ("ID", "offer id")),
    ],
)
def test_the_own_name_wins_over_aliases(header: str, index: int, unused: tuple[str, ...]):
    assert lay(header).field_mappings["sku"].indexes[0] == index
    assert lay(header).unused == unused


@pytest.mark.parametrize(
    ("header", "field", "candidates"),
    [
        ("sku,SKU", "sku", ("'sku'", "'SKU'")),
        ("id,item_id", "sku", ("'id'", "'item_id'")),
        ("id,ID", "sku", ("'id'", "'ID'")),
        ("sku,title,name", "product_name", ("'title'", "'name'")),
        ("sku,price,Price,list_price", "price", ("'price'", "'Price'")),
    ],
)
def test_two_candidates_are_a_question_never_a_guess(
    header: str, field: str, candidates: tuple[str, ...]
):
    refused = refusal(header.split(","), line=3)
    assert refused.code == "ambiguous_column"
    assert f"{candidates[0]} and {candidates[1]} could each be {field}." in refused.detail


def test_candidates_for_what_the_own_name_has_are_no_question():
    assert lay("sku,product_name,title,name").unused == ("title", "name")


@pytest.mark.parametrize(
    ("header", "mode", "missing"),
    [
        ("product_name,price", "full", "sku"),
        ("product_name,price", "delta", "sku"),
        ("sku,price", "full", "product_name"),
        ("price,quantity", "full", "sku and product_name"),
    ],
)
def test_what_the_mode_requires_has_to_be_there(header: str, mode: Mode, missing: str):
    refused = refusal(header.split(","), mode)
    assert refused.code == "missing_column"
    assert f"no column for {missing}." in refused.detail


def test_a_stock_feed_needs_a_sku_alone():
    assert fed(lay("sku,quantity")) == {"sku": 0, "quantity": 1}
    assert fed(lay("sku")) == {"sku": 0}


@pytest.mark.parametrize("header", ["A-1,Chair,12.00", "x", "１,２", "s k u s"])
def test_a_file_whose_first_record_names_no_field_has_no_header(header: str):
    refused = refusal(header.split(","), line=2)
    assert refused.code == "no_header"
    assert header.partition(",")[0] in refused.detail


def test_columns_that_no_mapping_names_are_listed_and_blank_ones_are_not():
    assert lay("sku,, ,cost price,\xa0,Cost price").unused == ("cost price", "Cost price")


def test_a_header_has_up_to_a_thousand_columns():
    header = ["sku", *(f"c{number}" for number in range(MOST_COLUMNS - 1))]
    assert len(map_header(header, "delta").unused) == MOST_COLUMNS - 1
    refused = refusal([*header, "one more"])
    assert refused.code == "too_large"
    assert "1,001" in refused.detail


@pytest.mark.parametrize("cell", ["x" * 10_000_000, "a\0b" * 1_000], ids=["long", "NUL"])
def test_what_we_tell_and_store_of_odd_headers_is_short_and_has_no_nul(cell: str):
    mapping = map_header(["sku", cell], "delta")
    refusals = [refusal([cell]), refusal(["title", cell]), refusal(["sku" + "_" * 10_000, "SKU"])]
    for text in (*mapping.header, *mapping.unused, *map(str, refusals)):
        assert "\0" not in text
        assert len(text) < 1_000


@given(
    st.lists(st.sampled_from([name for _, name in SPELLINGS]) | st.text(max_size=8), max_size=12)
)
def test_any_header_is_laid_out_or_refused(header: list[str]):
    try:
        mapping = map_header(header, "delta")
    except FileRefused as refused:
        event(refused.code)
        return
    assert "sku" in mapping.field_mappings
    used = [index for feeding in mapping.field_mappings.values() for index in feeding.indexes]
    assert len(set(used)) == len(used)
    assert len(mapping.header) == len(header)


def test_attributes_are_kept_by_the_names_that_the_profile_gives_them():
    profile = Profile(attributes=("colour", "Size (EU)", "gone"))
    mapping = lay_out_by(["sku", "Colour", "size_(eu)", "x"], "delta", profile, None)
    gathered = mapping.field_mappings["attributes"].gather(["A", ' "red"; or so ', "", "1"])
    assert gathered == '{"colour": "\\"red\\"; or so"}'
    assert mapping.field_mappings["attributes"].gather(["A", "", " ", "1"]) == ""
    assert mapping.unused == ("x",)
    assert "attributes" not in lay_out_by(["sku", "x"], "delta", profile, None).field_mappings


def test_a_parent_alone_stands_in_for_no_variants_sku():
    profile = Profile(identity=("{Parent}/{Colour}", "{No}"))
    header = ["No", "Parent", "Colour", "title"]
    gather = lay_out_by(header, "delta", profile, None).field_mappings["sku"].gather
    assert [gather(cells) for cells in (["7", "P", "red"], ["8", "P", ""], ["9", "", "red"])] == [
        "P/red",
        "8",
        "9",
    ]

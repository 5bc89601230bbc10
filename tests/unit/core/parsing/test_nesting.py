"""Records within records: a record for each variant, with what is around it, by both engines."""

import io
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commerce_core
from adapters.polars_feeds import PolarsEngine
from commerce_core.base.errors import FileRefused, InvalidInput
from commerce_core.doctor import Asked, examine
from commerce_core.parsing import carrying
from commerce_core.parsing.formats import open_records
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Profile
from tests.unit.core.parsing.test_documents import read

LAMP: Final[Mapping[str, Any]] = {
    "id": 1,
    "title": "Lamp",
    "vendor": "Lux",
    "variants": [
        {"id": 11, "sku": "L-R", "title": "Red", "price": "5.10"},
        {"id": 12, "sku": "L-B", "title": "Blue", "price": 6.5},
    ],
    "images": [{"id": 7, "src": "https://a/1.jpg"}],
}
POT: Final[Mapping[str, Any]] = {"id": 2, "title": "Pot", "variants": []}
NAMED: Final = {"product_name": Column(("../title",)), "group_id": Column(("../id",))}
DOCUMENT: Final = json.dumps({"shop": "S", "products": [LAMP, POT]})
FORMS: Final = {
    "a document": (DOCUMENT, "products[]/variants[]"),
    "a list": (json.dumps([LAMP, POT], indent=1), "[]/variants[]"),
    "lines": ("".join(f"{json.dumps(each)}\n" for each in (LAMP, POT)), "[]/variants[]"),
    "objects": (json.dumps(LAMP, indent=1) + json.dumps(POT, indent=1), "[]/variants[]"),
    "one product": (json.dumps({"product": LAMP}), "[]/product/variants[]"),
    "edges": (
        json.dumps({"data": {"p": {"edges": [{"node": LAMP}]}}}),
        "data/p/edges[]/node/variants[]",
    ),
}
XML: Final = (
    '<shop><p id="1"><title>Lamp</title><vs n="2"><v sku="L-R"><price>5.10</price></v>\n'
    '<v sku="L-B"/></vs><brand>Lux</brand></p><p id="2"><title>Pot</title></p></shop>'
)


def profile(path: str, columns: Mapping[str, Column] | None = None) -> Profile:
    own = {"product_name": Column(("../title",)), "group_id": Column(("../id",))}
    return Profile(record_path=path, columns={**own, **(columns or {})})


def skipped(body: str, given: Profile) -> int:
    """How many records are skipped, since there is none in them, by both engines."""
    counts = set[int]()
    for engine in (ReferenceEngine(), PolarsEngine()):
        reading = engine.open(io.BytesIO(body.encode()), Terms("full", "EUR", UTC, given))
        counts.add(sum(b.reasons["without a record in it"] for b in reading.batches()))
    (count,) = counts
    return count


@pytest.mark.parametrize("form", FORMS)
def test_each_variant_is_a_record_with_what_is_around_it(form: str):
    body, path = FORMS[form]
    found = read(body.encode(), profile(path))
    assert [(r.sku, r.values["product_name"], r.values["group_id"]) for r in found[:2]] == [
        ("L-R", "Lamp", "1"), ("L-B", "Lamp", "1"),
    ]  # fmt: skip
    assert [str(r.values["price"]) for r in found[:2]] == ["5.10", "6.50"]
    assert len(found) == 2
    assert skipped(body, profile(path)) == (1 if "Pot" in body else 0)


@pytest.mark.parametrize("form", FORMS)
def test_variants_are_never_read_as_one_product_unless_it_is_declared(form: str):
    body, path = FORMS[form]
    with pytest.raises(FileRefused) as refused:
        read(body.encode())
    assert refused.value.code == "nested_records"
    assert refused.value.record_path == path
    assert f'record_path = "{path}"' in refused.value.remedy


def test_the_outer_ones_are_the_records_if_that_is_declared():
    for path in ("products[]", "products"):
        assert [r.sku for r in read(DOCUMENT.encode(), Profile(record_path=path))] == ["1", "2"]


def test_variants_that_come_late_refuse_the_file():
    """What is decided from the beginning of a file is checked to its end."""
    plain = [{"sku": f"P-{n}", "product_name": "n", "variants": []} for n in range(2_000)]
    body = "".join(f"{json.dumps(each)}\n" for each in (*plain, {**plain[0], **LAMP}))
    with pytest.raises(FileRefused, match="records in them"):
        read(body.encode())
    rows = "".join(f"<p><sku>P-{n}</sku><title>n</title></p>" for n in range(2_000))
    late = "<p><sku>x</sku><title>n</title><variants><v><sku>y</sku></v></variants></p>"
    with pytest.raises(FileRefused, match="records in them"):
        read(f"<a>{rows}{late}</a>".encode())


@pytest.mark.parametrize(
    "inside",
    [
        {"images": [{"id": 7, "src": "https://a/1.jpg"}]},
        {"shipping": [{"country": "DE", "price": "5 EUR"}]},
        {"bundle": [{"sku": "X", "quantity": 2}]},
        {"options": [{"id": 1, "name": "Size", "values": ["S"]}]},
        {"variants": []},
        {"variants": None},
        {"variants": ["a", "b"]},
    ],
)
def test_other_lists_are_cells(inside: Mapping[str, Any]):
    body = json.dumps([{"sku": "A", "product_name": "n", **inside}])
    assert [r.sku for r in read(body.encode())] == ["A"]


def test_an_object_without_a_variant_is_a_record_if_it_has_a_sku_of_its_own():
    """None is lost, and none becomes a product without a sku."""
    pot = {**POT, "sku": "P"}
    sku = Column(("sku", "../sku"))
    body = json.dumps({"products": [LAMP, pot]})
    found = read(body.encode(), profile("products[]/variants[]", columns={"sku": sku}))
    assert [(r.sku, r.fate) for r in found] == [("L-R", None), ("L-B", None), ("P", None)]


@pytest.mark.parametrize("inside", ["x", 5, {"a": 1}, [5], [{"sku": "A", "a": {"b": 1}, "a/b": 2}]])
def test_what_is_no_list_of_objects_is_rejected_and_the_rest_is_read(inside: object):
    body = json.dumps({"products": [LAMP, {**POT, "variants": inside}, LAMP]})
    found = read(body.encode(), profile("products[]/variants[]"))
    assert [(r.sku, [p.code for p in r.problems]) for r in found] == [
        ("L-R", []), ("L-B", []), (None, ["malformed_json"]), ("L-R", []), ("L-B", []),
    ]  # fmt: skip


def test_a_list_with_gaps_as_php_writes_it_is_a_list():
    body = json.dumps({"products": [{**POT, "variants": {"0": {"sku": "A"}, "2": {"sku": "B"}}}]})
    found = read(body.encode(), profile("products[]/variants[]"))
    assert [r.sku for r in found] == ["A", "B"]


def test_objects_in_a_record_are_columns_by_their_paths():
    variant = {"sku": "A", "pricing": {"price": {"gross": {"amount": 5.50, "currency": "USD"}}}}
    body = '{"p": [' + json.dumps({**POT, "variants": [variant]}).replace("5.5", "5.50") + "]}"
    columns = {
        "price": Column(("pricing/price/gross/amount",)),
        "currency": Column(("pricing/price/gross/currency",)),
    }
    (found,) = read(body.encode(), profile("p[]/variants[]", columns=columns))
    assert (str(found.values["price"]), found.values["currency"]) == ("5.50", "USD")


def test_a_wrapper_gives_its_members_without_its_name_unless_they_are_another_ones():
    node = {"id": "n", "title": "T", "variants": {"id": "v", "nodes": [{"sku": "A"}]}}
    body = json.dumps({"edges": [{"id": "e", "cursor": "c", "node": node}]})
    header = read_header(body, "edges[]/node/variants/nodes[]")
    assert header == ["sku", "../id", "../cursor", "../node/id", "../title", "../variants/id"]


def read_header(body: str, path: str) -> list[str]:
    opened = open_records(iter([body]), None, lambda _: True, record_path=path)
    return next(opened.records).cells or []


def test_lists_within_lists():
    style = {"code": "S", "colors": [{"color": "red", "sizes": [{"sku": "A"}, {"sku": "B"}]}]}
    columns = {
        "product_name": Column(("../../code",)),
        "brand": Column(("../color",)),
    }
    path = "styles[]/colors[]/sizes[]"
    found = read(
        json.dumps({"styles": [style]}).encode(), Profile(record_path=path, columns=columns)
    )
    assert [(r.sku, r.values["product_name"], r.values["brand"]) for r in found] == [
        ("A", "S", "red"), ("B", "S", "red"),
    ]  # fmt: skip
    sizes = "<c n='red'><s><sku>A</sku></s><s><sku>B</sku></s></c><c n='blue'/>"
    body = f"<l><y><code>S</code>{sizes}</y></l>"
    given = Profile(record_path="l/y[]/c[]/s[]", columns={**columns, "brand": Column(("../@n",))})
    assert [(r.sku, r.values.get("brand")) for r in read(body.encode(), given)] == [
        ("A", "red"), ("B", "red"),
    ]  # fmt: skip
    assert skipped(body, given) == 1


def test_elements_within_elements():
    columns = {"sku": Column(("@sku",)), "group_id": Column(("../@id",))}
    found = read(XML.encode(), profile("shop/p[]/vs/v[]", columns=columns))
    assert [(r.line, r.sku, r.values["product_name"], r.values["brand"]) for r in found] == [
        (1, "L-R", "Lamp", "Lux"), (2, "L-B", "Lamp", "Lux"),
    ]  # fmt: skip
    assert skipped(XML, profile("shop/p[]/vs/v[]", columns=columns)) == 1
    assert found[0].values["group_id"] == "1"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (
            "<a><p><sku>x</sku><variants><variant><sku>y</sku></variant></variants></p><p/></a>",
            "a/p[]/variants/variant[]",
        ),
        ("<a><p><x>1</x><v sku='y' price='5'/><v sku='z' price='5'/></p><p><x>2</x></p></a>",
         "a/p[]/v[]"),
        (
            "<a><p><sku>x</sku><variants><v><sku>y</sku></v><v><sku>z</sku></v></variants></p></a>",
            "a/p[]/variants/v[]",
        ),
    ],
)  # fmt: skip
def test_elements_that_are_variants_are_never_read_as_one_product(body: str, path: str):
    with pytest.raises(FileRefused) as refused:
        read(body.encode())
    assert refused.value.record_path == path


def test_a_shipping_that_comes_again_is_no_variant():
    shipping = "<g:shipping><g:country>DE</g:country><g:price>5 EUR</g:price></g:shipping>"
    item = f"<item><g:id>A</g:id><title>n</title>{shipping * 2}</item>"
    body = f'<rss xmlns:g="http://g"><channel><title>t</title>{item}</channel></rss>'
    columns = {"sku": Column(("g:id",))}
    assert [r.sku for r in read(body.encode(), Profile(columns=columns))] == ["A"]


RETURNED: Final = {
    "a document": (DOCUMENT.replace("6.5", '"wrong"'), "products[]/variants[]", "sku"),
    "lines": (FORMS["lines"][0].replace("6.5", '"wrong"'), "[]/variants[]", "sku"),
    "a plain list": (json.dumps({"data": {"items": [{**v, "../title": "Lamp", "price": p}
     for v, p in zip(LAMP["variants"], ("5.10", "wrong"), strict=True)]}}), "data/items", "sku"),
    "elements": (XML.replace('"L-B"/>', '"L-B"><price>wrong</price></v>'), "shop/p[]/vs/v[]",
     "@sku"),
}  # fmt: skip


@pytest.mark.parametrize("form", RETURNED)
def test_a_report_on_a_declared_path_comes_back_and_is_read(form: str):
    """Each of its rows has what is around the record, by itself."""
    body, path, sku = RETURNED[form]
    columns = {"sku": Column((sku,)), "product_name": Column(("../title",))}
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        given = Profile(record_path=path, columns=columns)
        commerce.sources.set_profile(given, partner="Acme")
        job = commerce.feeds.load(io.BytesIO(body.encode()), partner="Acme", mode="full")
        assert job.summary is not None
        assert (job.summary.created, job.summary.rejected) == (1, 1)
        with commerce.jobs.report(job.job_id) as stream:
            report = stream.read()
        again = commerce.feeds.load(io.BytesIO(report.replace(b"wrong", b"6")), partner="Acme")
        assert again.summary is not None
        assert (again.summary.created, again.summary.rejected) == (1, 0)
        found = commerce.products.get(partner="Acme", sku="L-B")
        assert (found.product_name, str(found.price)) == ("Lamp", "6.00")


def test_doctor_proposes_the_records_within():
    """Their names are those around them, and what both have is asked."""
    body = DOCUMENT.replace('"vendor"', '"price": "9", "vendor"')
    found = examine(io.BytesIO(body.encode()), Asked(currency="EUR"))
    assert found.verdict == "with_profile"
    assert found.refusal_as_it_is is not None
    assert found.refusal_as_it_is.code == "nested_records"
    assert found.profile.record_path == "products[]/variants[]"
    assert found.profile.columns["product_name"].from_ == ("../title",)
    assert found.profile.columns["price"].from_ == ("price", "../price")
    assert found.profile.columns["group_id"].from_ == ("../id",)
    assert (found.dry_read.accepted, found.dry_read.skipped) == (2, 1)
    assert {asked.code for asked in found.questions} == {"records", "which_column"}
    assert [r.sku for r in read(body.encode(), found.profile)] == ["L-R", "L-B"]


def test_another_shops_list_of_products_is_not_taken_for_shopifys():
    variant = {"sku": "A", "title": "S", "barcode": None, "inventory_quantity": 4, "prices": []}
    product = {"id": "p", "title": "T", "handle": "t", "status": "published", "variants": [variant]}
    found = examine(io.BytesIO(json.dumps({"products": [product]}).encode()))
    assert found.profile.preset == "canonical"
    assert found.profile.columns["product_name"].from_ == ("../title",)


NAMES = st.text("ab<&\"'é \n", max_size=6).map(str.strip)
VARIANT = st.fixed_dictionaries(
    {"sku": st.from_regex(r"[A-Z]{1,3}", fullmatch=True), "brand": NAMES}
)
PRODUCT = st.fixed_dictionaries({"title": NAMES, "variants": st.lists(VARIANT, max_size=3)})


@given(products=st.lists(PRODUCT, min_size=1, max_size=4), is_self_closed=st.booleans())
def test_nested_records_are_those_of_the_same_table_made_flat(
    products: list[dict[str, Any]], is_self_closed: bool
):
    """JSON, XML and the table that they mean give the same catalog."""
    products = [*products, {"title": "T", "variants": [{"sku": "LAST", "brand": "b"}]}]
    flat = [
        {"sku": v["sku"], "brand": v["brand"], "product_name": p["title"]}
        for p in products
        for v in p["variants"]
    ]

    def element(v: dict[str, str]) -> str:
        end = "/>" if is_self_closed else "></v>"
        return f"<v sku={quoteattr(v['sku'])} brand={quoteattr(v['brand'])}{end}"

    xml = "".join(
        f"<p><vs>{''.join(map(element, p['variants']))}</vs><title>{escape(p['title'])}</title></p>"
        for p in products
    )
    columns = {"product_name": Column(("../title",))}
    named = {"sku": Column(("@sku",)), "brand": Column(("@brand",)), **columns}
    expected = [_offer(r) for r in read("".join(f"{json.dumps(f)}\n" for f in flat).encode())]
    as_json = read(
        json.dumps({"products": products}).encode(),
        Profile(record_path="products[]/variants[]", columns=columns),
    )
    as_xml = read(f"<a>{xml}</a>".encode(), Profile(record_path="a/p[]/vs/v[]", columns=named))
    assert [_offer(r) for r in as_json if r.fate is None] == expected
    assert [_offer(r) for r in as_xml if r.fate is None] == expected


def _offer(record: Any) -> object:  # noqa: ANN401 - a record
    return record.sku, record.values.get("brand"), record.values.get("product_name")


def test_what_records_take_from_around_them_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    """A few megabytes of text on many variants would be read for each of them."""
    monkeypatch.setattr(carrying, "MOST_CARRIED", 10_000)
    for count, fits in ((20, True), (400, False)):
        product = {"title": "x" * 400, "variants": [{"sku": str(n)} for n in range(count)]}
        rows = "".join(f"<v sku='{n}'/>" for n in range(count))
        xml = f"<a><p><title>{'x' * 400}</title>{rows}</p></a>"
        monkeypatch.setattr(carrying, "HIGHEST_CARRIED_RATIO", 20)
        for body, path in ((json.dumps([product]), "[]/variants[]"), (xml, "a/p[]/v[]")):
            columns = {"sku": Column(("sku", "@sku")), "product_name": Column(("../title",))}
            given = Profile(record_path=path, columns=columns)
            if fits:
                assert len(read(body.encode(), given)) == count
            else:
                with pytest.raises(FileRefused, match="records take"):
                    read(body.encode(), given)


@pytest.mark.parametrize("path", ["a[]", "[]", "a/b[]/c/d[]/e", "a[]/b[]/c[]", "products", "@a/b"])
def test_paths_that_can_be_declared(path: str):
    assert Profile(record_path=path).record_path == path


@pytest.mark.parametrize("path", ["a[0]", "a[]b", "a[]/[]", "[a]", "a[]/b[]/c[]/d[]", "a[][]", "/"])
def test_paths_that_mean_nothing_are_refused(path: str):
    with pytest.raises(InvalidInput):
        Profile(record_path=path)


def test_doctor_asks_nothing_that_a_preset_knows():
    variant = {"sku": "A", "price": "5.00", "option1": "S", "compare_at_price": None, "grams": 5}
    product = {"title": "T", "handle": "t", "body_html": "", "vendor": "V", "variants": [variant]}
    body = json.dumps({"products": [product]}).encode()
    found = examine(io.BytesIO(body), Asked(currency="EUR"))
    assert (found.profile.preset, found.profile.record_path) == ("shopify-api", None)
    assert found.questions == ()
    assert found.dry_read.accepted == 1

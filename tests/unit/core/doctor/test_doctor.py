"""The doctor: its reports on files of every style, and that it never fails, whatever the bytes."""

import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.doctor import Asked, Diagnosis, examine
from commerce_core.doctor.diagnosis import Note, Question
from commerce_core.doctor.encodings import guess_encodings
from commerce_core.doctor.examination import MOST_TRIALS, TRIAL_RECORDS
from commerce_core.doctor.reading import Reading
from commerce_core.doctor.styles import day_of, written
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Column, Profile
from commerce_core.schema.fields import FIELDS
from commerce_core.schema.record import Record
from entrypoints.profile_files import read_profile, write_toml
from entrypoints.shapes import shape
from tests.support.effort import assert_effort
from tests.support.examples import scaled
from tests.support.strategies import FeedFile, feed_files
from tests.unit.core.profiles.test_presets import ETSY

PLAIN = "sku,product_name,price,currency\nA-1,Lamp,12.50,EUR\nA-2,Chair,80,EUR\n"


def look(file: str | bytes, asked: Asked | None = None) -> Diagnosis:
    return examine(io.BytesIO(file.encode() if isinstance(file, str) else file), asked)


def table(header: str, *rows: str) -> Diagnosis:
    return look("\n".join((header, *rows)) + "\n")


def column(name: str, cells: Sequence[str], field: str = "price") -> Diagnosis:
    """A file of that column beside a sku, a name and a currency."""
    rows = "\n".join(f"A-{n};Thing {n};EUR;{cell}" for n, cell in enumerate(cells))
    told = look(f"sku;product_name;currency;{name}\n{rows}\n")
    assert any(field == mapped.field for mapped in told.mapping)
    return told


def question(told: Diagnosis, code: str) -> Question:
    (found,) = [asked for asked in told.questions if asked.code == code]
    return found


def answers(told: Diagnosis, code: str) -> list[str]:
    return [option.answer for option in question(told, code).options]


def note(told: Diagnosis, code: str) -> Note:
    (found,) = [told for told in told.notes if told.code == code]
    return found


def feeds(told: Diagnosis) -> dict[str, tuple[str, ...]]:
    return {mapped.field: mapped.columns for mapped in told.mapping}


# --- any bytes ------------------------------------------------------------------------------------


def check_adds_up(told: Diagnosis) -> None:
    read = told.dry_read
    fates = read.accepted + read.rejected + read.duplicate + read.folded + read.skipped + read.blank
    assert fates == read.records
    assert (told.verdict == "refused") == (told.refusal is not None)
    assert read_profile(write_toml(told.profile).encode()) == told.profile
    assert isinstance(shape(told), dict)


@given(st.binary(max_size=300))
def test_any_bytes_get_a_diagnosis(content: bytes):
    check_adds_up(look(content))


@given(
    st.sampled_from(
        ["sku,product_name,price,stock,ean\n", "Handle,Title\n", "{", "\ufeffid;preis\n"]
    ),
    st.text(alphabet='aZ09,;\t|"\n\r. €-:/{}[]\0é', max_size=200),
    st.sampled_from(["utf-8", "cp1252", "utf-16"]),
)
def test_any_text_gets_a_diagnosis(header: str, text: str, encoding: str):
    check_adds_up(look((header + text).encode(encoding, "replace")))


@settings(max_examples=scaled(50))
@given(feed_files())
def test_what_the_doctor_counts_is_what_intake_reads(file: FeedFile):
    told = look(file.body, Asked(profile=Profile(), mode=file.mode, currency=file.currency))
    check_adds_up(told)
    if told.refusal is None:
        _, records = file.read()
        assert told.dry_read.records == len(records)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"%PDF-1.7 etc", "not_text"),
        (b"\x1f\x8b broken", "undecodable"),
        (b"colour,size\nred,5\n", "no_header"),
        (b'sku,product_name\nA,"Lamp\nB,Chair\n', "unterminated_quote"),
        (b"sku,product_name\n", "nothing_accepted"),
        (b'sku,product_name\n,"Lamp"\n', "nothing_accepted"),
        (b"sku,price,link,brand\nA,1,,x\n", "missing_column"),
    ],
)
def test_a_file_that_would_be_refused_as_a_whole_is_reported_so(content: bytes, code: str):
    told = look(content)
    assert told.verdict == "refused"
    assert told.refusal
    assert told.refusal.code == code


# --- bytes and text -------------------------------------------------------------------------------


def test_a_clean_file_is_taken_as_it_is():
    told = look(PLAIN)
    assert (told.verdict, told.questions, told.notes) == ("taken", (), ())
    assert told.profile == Profile()
    assert (told.dry_read.records, told.dry_read.accepted, told.accepted_as_it_is) == (2, 2, 2)
    assert told.looked_at.complete


def test_archives_are_named_and_looked_into():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("feed.csv", PLAIN)
    assert look(gzip.compress(PLAIN.encode())).container == "gz"
    told = look(packed.getvalue())
    assert (told.container, told.dry_read.accepted) == ("zip", 2)


@pytest.mark.parametrize(
    ("content", "name", "because"),
    [
        (PLAIN.encode("utf-8-sig"), "utf-8", "mark"),
        (PLAIN.encode("utf-16"), "utf-16", "mark"),
        (PLAIN.encode(), "utf-8", "ASCII"),
        (PLAIN.replace("Lamp", "Lämp").encode(), "utf-8", "valid UTF-8"),
        (PLAIN.replace("Lamp", "Lämp").encode("cp1252"), None, "isn't UTF-8"),
        (PLAIN.encode("utf-16-le"), None, "UTF-16 without a byte order mark"),
    ],
)
def test_the_encoding_is_reported_with_its_evidence(content: bytes, name: str | None, because: str):
    encoding = look(content).encoding
    assert encoding.name == name
    assert because in encoding.because


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe für Käufer – 12 €", "cp1252"),
        ("Żółta gęś, źdźbło, świeży", "cp1250"),
        ("Кофейная чашка, большая", "cp1251"),
        ("コーヒーカップ、白い", "shift_jis"),
    ],
)
def test_encodings_are_guessed_for_people(text: str, encoding: str):
    guesses = guess_encodings([text.encode(encoding)])
    assert guesses[0].encoding == encoding
    assert all(sample in text for sample in guesses[0].samples)


def test_an_encoding_is_a_question_whose_likeliest_answer_is_assumed():
    told = look(PLAIN.replace("Lamp", "Leuchte für Küche").encode("cp1252"))
    assert told.verdict == "with_profile"
    assert told.refusal_as_it_is
    assert told.refusal_as_it_is.code == "undecodable"
    assert question(told, "encoding").assumed == 'encoding = "cp1252"'
    assert "Küche" in question(told, "encoding").options[0].means
    assert told.profile.encoding == "cp1252"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_reported(delimiter: str, end: str):
    dialect = look(PLAIN.replace(",", delimiter).replace("\n", end)).dialect
    assert dialect
    assert dialect.delimiter == delimiter
    assert "4 cells, 4 of them known; 3 of the first 3" in dialect.because[0]
    assert dialect.line_ends == {{"\n": "LF", "\r\n": "CRLF", "\r": "CR"}[end]: 3}


def test_a_header_that_two_delimiters_split_is_a_question():
    told = look("sku,brand;price\nA,B;2\n")
    assert told.refusal
    assert told.refusal.code == "ambiguous_dialect"
    assert set(answers(told, "delimiter")) == {'delimiter = ","', 'delimiter = ";"'}


def test_broken_quotes_are_reported_with_their_line():
    told = look('sku,product_name\nA,"Lamp" big\nB,Chair\n')
    assert told.dialect
    assert [trouble.line for trouble in told.dialect.quoting] == [2]
    assert (told.dry_read.accepted, told.dry_read.problems_by_code) == (1, {"malformed_quotes": 1})


def test_what_names_its_values_has_no_delimiter():
    told = look('{"sku": "A", "title": "Lamp"}\n')
    assert told.dialect
    assert told.dialect.delimiter is None
    assert told.verdict == "taken"
    for text in (
        '[{"sku": "A", "title": "Lamp"}]',
        "<a><b><sku>A</sku><title>Lamp</title></b></a>",
    ):
        told = look(text)
        assert told.dialect
        assert (told.dialect.delimiter, told.verdict) == (None, "taken")


def test_a_header_below_other_rows_is_found_and_its_line_proposed():
    above = 'Price list "2026\n\nfor partners;;\n'
    found = look(f"{above}sku;product_name;price\nA-1;Cup;5.00\nA-2;Pot;6.00\n")
    assert (found.profile.header_line, found.verdict) == (4, "with_profile")
    assert note(found, "header_line")
    assert found.dry_read.accepted == 2
    assert found.dialect
    assert found.dialect.delimiter == ";"
    assert look("name of the list\nsku,price\nA,1\n").profile.header_line == 2
    assert look("sku,product_name\nsku,price\n").profile.header_line == 1
    assert look("Artikel;Preis\nid;title\n").profile.header_line == 2


# --- the header -----------------------------------------------------------------------------------

PRESET_HEADERS = {
    "shopify": "Handle,Title,Vendor,Variant SKU,Variant Price,Option1 Name,Option1 Value",
    "woocommerce": "ID,Type,SKU,Name,Published,Stock,Regular price,Parent",
    "medusa": "Product Handle,Product Title,Variant Id,Variant Sku,Variant Price EUR",
    "google-merchant": "id,title,link,image_link,price,color,size,item_group_id",
    "canonical": "sku,name,price,stock,description",
}


@pytest.mark.parametrize(("preset", "header"), PRESET_HEADERS.items(), ids=list(PRESET_HEADERS))
def test_the_preset_is_the_one_that_knows_most_of_the_header(preset: str, header: str):
    assert table(header, ",".join("x" for _ in header.split(","))).preset == preset


WOOCOMMERCE_EXPORTS = {
    "English": "ID,Type,SKU,Name,Published,In stock?,Stock,Regular price,Parent,"
    "Attribute 1 name,Attribute 1 value(s)",
    "German": "ID,Typ,Artikelnummer,Name,Veröffentlicht,Vorrätig?,Bestand,Regulärer Preis,"
    "Übergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e)",
    "French": "ID,Type,UGS,Nom,Publié,En stock ?,Stock,Tarif régulier,Parent,"
    "Nom de l\u2019attribut 1,Valeur(s) de l\u2019attribut 1 ",
    "Spanish": "ID,Tipo,SKU,Nombre,Publicado,¿Existencias?,Inventario,Precio normal,Superior,"
    "Nombre del atributo 1,Valor(es) del atributo 1",
}


@pytest.mark.parametrize("language", WOOCOMMERCE_EXPORTS)
def test_an_export_is_read_in_its_users_language(language: str):
    told = table(
        WOOCOMMERCE_EXPORTS[language],
        '1,variable,,Hemd,1,1,,,,Grösse,"S, M"',
        '2,variation,,Hemd S,1,1,3,"9,50",id:1,Grösse,S',
        '3,variation,,Hemd M,1,0,4,"9,50",id:1,Grösse,M',
    )
    assert told.preset == "woocommerce"
    fields = {"product_name", "group_id", "options", "price", "availability", "quantity"}
    assert fields <= set(feeds(told))
    assert (told.dry_read.accepted, told.dry_read.skipped) == (2, 1)
    assert told.profile.decimal == ","


def test_a_simple_file_is_no_platforms_export_because_of_some_headers():
    told = table("SKU,Name,Price,Stock,Weight,Images,Categories,Description", "A,B,1,2,3,,D,E")
    assert told.preset == "canonical"
    assert feeds(told)["price"] == ("Price",)


@pytest.mark.parametrize(
    "header",
    [
        "Artikelnummer;Bezeichnung;Preis;Bestand;Marke",
        "Référence;Désignation;Prix;Quantité;Marque",
        "codigo;nombre;precio;existencias;marca",
        "productcode;Productnaam;Prijs;Voorraad;merk",
        "Item Number;Item Name;RetailPrice;StockOnHand;BrandName",
    ],
)
def test_headers_of_other_languages_are_suggestions_in_the_profile(header: str):
    names = header.split(";")
    told = table(header, "X1;Lampe;3.50;4;Muster", "X2;Stuhl;8.00;6;Muster")
    fields = ("sku", "product_name", "price", "quantity", "brand")
    assert feeds(told) == {f: (n,) for f, n in zip(fields, names, strict=True)}
    assert told.verdict == "with_profile"
    assert told.dry_read.accepted == 2


def test_what_a_column_has_speaks_where_its_name_does_not():
    rows = [
        f"A{n};Lamp {n};{code};https://shop.example/p/{n};https://cdn.example/{n}.jpg;in stock;EUR"
        for n, code in enumerate(("4006381333931", "8720602828605", "8720602898363"))
    ]
    told = table("sku;name;c1;c2;c3;c4;c5", *rows)
    wanted = {"gtin": "c1", "product_url": "c2", "image_url": "c3", "availability": "c4"}
    assert {f: c[0] for f, c in feeds(told).items() if f in wanted} == wanted


@pytest.mark.parametrize("header", ["cost_price", "Einkaufspreis", "shipping_price", "MinPrice"])
def test_no_suggestion_contradicts_the_header(header: str):
    told = table(f"sku;name;{header}", "A;Lamp;3.50", "B;Chair;4.50")
    assert told.suggestions == ()
    assert told.unused_columns == (header,)


def test_two_columns_that_could_be_one_field_are_a_question_and_a_refusal():
    told = table("sku,ean,upc,title", "A,4006381333931,,Lamp")
    assert told.refusal
    assert told.refusal.code == "ambiguous_column"
    assert answers(told, "which_column") == ["ean", "upc"]


def test_two_suggestions_for_one_field_are_a_question_and_not_in_the_profile():
    told = table("sku;name;Preis;Verkaufspreis", "A;Lamp;1.50;2.50", "B;Chair;3.50;4.50")
    assert answers(told, "which_column") == ["Preis", "Verkaufspreis"]
    assert "price" not in told.profile.columns


def test_a_file_without_a_key_is_asked_what_could_stand_in():
    told = table("code,title,colour", "X1,Lamp,red", "X2,Chair,red")
    assert told.missing == ("sku",)
    assert answers(told, "identity") == ["code"]


def test_maker_and_model_make_a_name():
    told = table("id,make,model,price,link", "1,Fiat,Panda,5.00,", "2,Fiat,Uno,6.00,")
    assert told.profile.columns["product_name"] == Column(("make", "model"), join=" ")
    assert told.refusal_as_it_is
    assert "product_name" in told.refusal_as_it_is.detail


@pytest.mark.parametrize("header", ["sku,quantity", "sku,price,currency", "sku,qty,availability"])
def test_a_file_of_stock_or_prices_alone_is_read_as_a_delta(header: str):
    told = table(header, *[",".join(("A", "5", "in stock")[: header.count(",") + 1])])
    assert told.mode == "delta"
    assert note(told, "delta")


@pytest.mark.parametrize(
    "file",
    [
        'sku;name;Pr\0is;marke\0;x\nA;La\0mp;1,50;b\0;"a"\0\n',
        '{"sku": "A\\ud800", "title": "x\\ud800", "t\\ud800": "\\ud800", "marke": "\\ud800"}\n',
    ],
)
def test_what_can_be_neither_stored_nor_sent_is_not_in_the_diagnosis(file: str):
    told = look(file)
    check_adds_up(told)
    sent = json.dumps(shape(told), ensure_ascii=False)
    assert "\0" not in sent
    assert sent.encode()


def test_a_column_without_a_header_is_reported():
    assert note(table("sku,name,", "A,Lamp,x"), "blank_header").count == 1


# --- numbers, currencies, dates -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1,50", "12,00"], ","),
        (["1.299,00", "3,5"], ","),
        (["1.234.567", "5"], ","),
        (["1,299.00", "3.50"], "."),
        (["1,234,567", "3"], "."),
        (["1,299", "3.50"], "."),
        (["1.299", "3,50"], ","),
        (["1.50", "3"], None),
        (["15 000", "3.50"], None),
        (["0.125", "3"], None),
    ],
)
def test_the_mark_before_decimals_is_declared_where_all_cells_agree(
    cells: list[str], decimal: str | None
):
    told = column("price", cells)
    assert told.profile.decimal == decimal
    assert told.questions == ()


@pytest.mark.parametrize("cell", ["1.299", "1,299", "12.000"])
def test_a_number_that_can_be_read_in_two_ways_is_a_question(cell: str):
    told = column("price", [cell, "5"])
    assert set(answers(told, "number_style")) == {'decimal = "."', 'decimal = ","'}
    assert told.profile.decimal is None


def test_two_styles_in_one_column_are_reported():
    assert note(column("price", ["1.50", "2,50", "3.50"]), "mixed_numbers").count == 1


@pytest.mark.parametrize(
    ("cell", "beside"),
    [("15.00 USD", "USD"), ("1.299,00 €", "€"), ("15 000 Fcfa", "Fcfa"), ("352 AED", "AED")],
)
def test_currency_texts_are_reported(cell: str, beside: str):
    told = look(f"sku;name;price\nA;Lamp;{cell}\nB;Chair;{cell}\n", Asked(currency="XOF"))
    (price,) = [each for each in told.columns if each.header == "price"]
    assert repr(beside) in price.style
    assert told.questions == ()
    assert told.dry_read.accepted == 2


@pytest.mark.parametrize("symbol", ["$", "kr", "Fcfa", "Rs"])
def test_a_symbol_of_several_currencies_is_a_question(symbol: str):
    told = look(f"sku;name;price\nA;Lamp;{symbol} 15.00\n")
    assert len(answers(told, "currency")) > 1


def test_prices_without_any_currency_are_a_question_and_no_fault_of_each_record():
    told = look("sku,name,price\nA,Lamp,1.50\n")
    assert question(told, "currency").column == "price"
    assert told.dry_read.problems_by_code == {}
    assert look("sku,name,price\nA,Lamp,1.50\n", Asked(currency="EUR")).questions == ()
    assert look("sku,name,Price (INR)\nA,Lamp,1.50\n").questions == ()


def test_a_price_column_for_each_currency_is_a_question():
    told = table("Product Title,Variant Id,Variant Sku,Price EUR,Price USD", "Lamp,v1,A,5,6")
    assert answers(told, "currency") == ['currency = "EUR"', 'currency = "USD"']


def test_whole_amounts_that_end_as_cents_do_are_a_question():
    cells = ["1999", "2499", "1295", "4999", "12900", "999", "1499", "2999", "5995", "1799"]
    assert question(column("price", cells), "minor_units").assumed == 'unit = "major"'
    assert column("price", ["1", "25", "100"] * 5).questions == ()
    told = column("price_cents", ["1999", "5"], "price")
    assert told.profile.columns["price"].unit == "minor"
    assert told.dry_read.accepted == 2


@pytest.mark.parametrize(
    ("cells", "dates"),
    [
        (["31.12.2026", "01.02.2026"], "DD.MM.YYYY"),
        (["12/31/2026", "01/02/2026"], "MM/DD/YYYY"),
        (["2026/12/31"], "YYYY/MM/DD"),
        (["31.12.2026 08:00"], "DD.MM.YYYY hh:mm"),
        (["2026-12-31"], None),
        (["2026-12-31T08:00:00"], None),
    ],
)
def test_the_format_of_dates_is_declared_where_all_cells_agree(cells: list[str], dates: str | None):
    told = column("sale_starts_at", cells, "sale_starts_at")
    made = told.profile.columns.get("sale_starts_at")
    assert (made.dates if made else None) == dates
    assert (told.dry_read.accepted, told.questions) == (len(cells), ())


def test_days_and_months_that_can_be_exchanged_are_a_question():
    told = column("sale_starts_at", ["01/02/2026", "03/04/2026"], "sale_starts_at")
    assert answers(told, "date_order") == ['dates = "DD/MM/YYYY"', 'dates = "MM/DD/YYYY"']
    mixed = column("sale_starts_at", ["31/12/2026", "12/31/2026"], "sale_starts_at")
    assert note(mixed, "mixed_dates")


@pytest.mark.parametrize("cell", ["5 new", "5\xa0new", "ca. 5", "5+", "(5)", "5 Stück"])
def test_a_quantity_with_words_gets_a_pattern(cell: str):
    told = column("quantity", [cell, "12"], "quantity")
    assert told.profile.columns["quantity"].pattern
    assert told.dry_read.accepted == 2


def test_words_in_other_languages_are_translated_and_others_asked_about():
    told = column("Lieferbarkeit", ["auf Lager", "nicht lieferbar", "bald"], "availability")
    assert told.profile.columns["availability"].values == {
        "auf Lager": "in_stock",
        "nicht lieferbar": "out_of_stock",
    }
    assert "'bald'" in question(told, "words").question


# --- identity, GTINs, damage ----------------------------------------------------------------------


def test_duplicates_are_counted_and_shown():
    told = table("sku,name", "A,Lamp", "B,Chair", "A,Table")
    assert (told.dry_read.accepted, told.dry_read.duplicate) == (2, 1)
    assert "'A' on lines 2 and 4" in note(told, "duplicate_sku").detail


def test_a_sku_of_another_form_is_reported():
    rows = [f"AB-{n:04},Lamp" for n in range(50)]
    told = table("sku,name", *rows, "please ask,Lamp")
    assert (note(told, "odd_sku").value, note(told, "odd_sku").line) == ("please ask", 52)


def test_the_quality_of_gtins_is_reported():
    gtins = ["4006381333931", "'4006381333931", "4006381333932", "12345678", "4.00638E+12"]
    told = column("ean", [*gtins, "36000291452"], "gtin")
    counted = {n.code.removeprefix("gtin_"): n.count for n in told.notes}
    assert counted == {
        "valid": 2, "apostrophe": 1, "check_digit": 2, "zeros_lost": 1, "exponent": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("8.72E+12", "exponent"),
        ("#N/A", "error_value"),
        ("########", "error_value"),
        ("PokÃ©mon", "mojibake"),
        ("Caf\ufffd", "mojibake"),
        ("x" * 32_767, "cut"),
    ],
)
def test_damage_is_reported_wherever_it_is(cell: str, code: str):
    told = table("sku,name,remark", "A,Lamp,fine", f"B,Chair,{cell}")
    found = note(told, code)
    assert (found.column, found.line, found.count) == ("remark", 3, 1)


# --- what is given --------------------------------------------------------------------------------


def test_with_a_profile_nothing_is_proposed():
    profile = Profile(columns={"sku": Column(("Nr",)), "product_name": Column(("Preis",))})
    told = look("Nr;Preis;Bestand\nA;1,50;5\n", Asked(profile=profile))
    assert (told.profile, told.suggestions, told.verdict) == (profile, (), "taken")


def test_a_preset_that_is_given_is_taken():
    assert look(PLAIN, Asked(preset="google-merchant")).preset == "google-merchant"


def test_the_proposed_profile_reads_what_the_dry_read_reports():
    file = "Nr.;Artikelname;Preis;Bestand\nA;Löffel;1.299,00 €;5 Stück\n".encode("cp1252")
    told = look(file.replace(b"Nr.;", b"Artikelnummer;"))
    reader = open_feed(
        io.BytesIO(file.replace(b"Nr.;", b"Artikelnummer;")),
        Terms("full", None, Asked().zone, told.profile),
    )
    (record,) = reader
    assert (record.sku, record.values["product_name"], record.problems) == ("A", "Löffel", ())
    assert (str(record.values["price"]), record.values["quantity"]) == ("1299.00", 5)


# --- limits ---------------------------------------------------------------------------------------


def many(records: int) -> bytes:
    cells = ",".join(f"text {n}" for n in range(12))
    rows = (f"A-{n},Lamp {n},{n}.50,EUR,{n % 9},{cells}" for n in range(records))
    header = f"sku,name,price,currency,stock,{','.join(f'c{n}' for n in range(12))}"
    return "\n".join((header, *rows)).encode()


def test_only_the_first_records_and_bytes_are_examined():
    told = look(many(100), Asked(most_records=10))
    assert (told.looked_at.records, told.looked_at.complete, told.dry_read.records) == (
        10,
        False,
        10,
    )
    told = look(many(100), Asked(most_bytes=1000))
    assert not told.looked_at.complete
    assert 0 < told.dry_read.records < 20
    assert look(many(10), Asked(most_records=10)).looked_at.complete


@pytest.mark.slow
def test_ten_thousand_records_take_seconds_and_little_memory():
    content = io.BytesIO(many(10_000))
    assert_effort(lambda: examine(io.BytesIO(content.getvalue())), 10_000)
    tracemalloc.start()
    examine(content, Asked(most_records=2_000))
    less = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert less < 40 * 1024**2


@pytest.mark.parametrize(
    ("text", "shape_"),
    [
        ("5", "whole"), ("1.5", "point"), ("1,5", "comma"), ("1.299", "point3"),
        ("1,299", "comma3"),
        ("1.299,00", "point_comma"), ("1,299.00", "comma_point"), ("15 000", "spaced"),
        ("1.299.000", "point_groups"), ("12,34,567", "comma_groups"), ("0.500", "point"),
        ("1.2.3", "other"),
    ],
)  # fmt: skip
def test_shapes_of_numbers(text: str, shape_: str):
    found = written(text)
    assert found
    assert found.shape == shape_


@pytest.mark.parametrize("text", ["", "A-100", "5 of 6", "1e5 x 3", "x" * 60])
def test_what_has_not_just_one_number(text: str):
    assert written(text) is None


def test_no_date_that_cannot_be():
    assert day_of("31.13.2026") is None
    assert day_of("13/2026") is None


# --- what it proposes, it has tried ---------------------------------------------------------------

SHOP = "Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Status"


def saved(told: Diagnosis) -> Profile:
    return read_profile(write_toml(told.profile).encode())


def read_with(file: str, profile: Profile) -> list[dict[str, object]]:
    terms = Terms("full", "EUR", UTC, profile)
    return [dict(record.values) for record in open_feed(io.BytesIO(file.encode()), terms)]


@pytest.mark.parametrize("cell", ["-3 pcs", "- 3 pcs", "stock: -3", "−3 pcs"])
def test_a_proposed_pattern_never_loses_a_sign(cell: str):
    file = f"sku,product_name,price,stock\nA,Cup,5,12 pcs\nB,Pot,6,{cell}\nC,Jug,6,0 pcs\n"
    told = look(file, Asked(currency="EUR"))
    quantities = [values.get("quantity") for values in read_with(file, saved(told))]
    assert quantities[0] == 12
    assert not quantities[1]


@pytest.mark.parametrize(
    ("header", "currency"),
    [
        ("Price USD", "USD"), ("price_usd", "USD"), ("USD price", "USD"), ("Preis in €", "EUR"),
        ("Price GBP", "GBP"), ("Price TRY", "TRY"), ("price try", None), ("Top Price", None),
        ("Price", None),
    ],
)  # fmt: skip
def test_a_currency_in_a_header_is_proposed(header: str, currency: str | None):
    told = look(f"sku,product_name,{header}\nA,Cup,9.00\nB,Pot,8.00\n")
    assert saved(told).columns.get("price", Column()).currency == currency


def test_a_currency_that_the_header_contradicts_is_a_question():
    told = look("sku,product_name,Price USD\nA,Cup,9.00\nB,Pot,8.00\n", Asked(currency="EUR"))
    assert answers(told, "currency") == ['currency = "USD"', 'currency = "EUR"']
    assert saved(told).columns["price"].currency == "USD"


def test_a_second_column_of_stock_or_price_is_a_question():
    header = "sku,product_name,price,quantity,availableQuantity"
    told = table(header, "A,Rice,9,500,3", "B,Salt,8,9,0")
    assert answers(told, "which_column") == ["quantity", "availableQuantity"]
    assert question(told, "which_column").assumed == "quantity"


def test_amounts_that_all_end_in_two_zeros_may_be_in_minor_units():
    told = table("sku,product_name,price", "A,Rice,2500", "B,Salt,4200", "C,Oil,19900")
    assert question(told, "minor_units").assumed == 'unit = "major"'
    told = table("sku,product_name,price", "A,Rice,25", "B,Salt,42", "C,Oil,199")
    assert not [asked for asked in told.questions if asked.code == "minor_units"]


def test_a_column_that_only_looks_like_attributes_is_left_out():
    file = "sku,product_name,price,attributes\nA,Cup,9.00,red and round\nB,Pot,8.00,{broken\n"
    told = look(file, Asked(currency="EUR"))
    assert (told.dry_read.accepted, note(told, "left_out").column) == (2, "attributes")
    assert [values["price"] is not None for values in read_with(file, saved(told))] == [True, True]


@pytest.mark.parametrize(
    "header",
    [
        "Artikelnr;Benämning;Pris;Lagersaldo",
        "Stok Kodu;Ürün Adı;Fiyat;Miktar",
        "商品コード;商品名;価格;在庫",
        "codigo;nome;preco;estoque",
        "Varenummer;Produktnavn;Pris;Beholdning",
    ],
)
def test_headers_in_other_languages_are_found(header: str):
    told = look(f"{header}\nA;Lamp;5.00;3\nB;Chair;6.00;2\n")
    assert list(told.profile.columns) == ["sku", "product_name", "price", "quantity"]


def test_what_a_preset_rejects_is_no_column_that_only_looks_like_a_field():
    """Without it, a listing with variations would be sold as one product."""
    told = look(ETSY)
    assert (told.preset, told.dry_read.accepted, told.dry_read.rejected) == ("etsy", 2, 2)
    assert not [each for each in told.notes if each.code == "left_out"]
    assert told.refusal_as_it_is
    assert told.refusal_as_it_is.code == "preset_needed"
    assert look(ETSY.encode(), Asked(profile=Profile(preset="etsy"))).refusal_as_it_is is None


def test_a_column_of_stock_is_never_left_out_since_it_would_sell_without_limit():
    told = table("sku,product_name,price,quantity", "A,Cup,9.00,plenty", "B,Pot,8.00,some")
    assert "quantity" in feeds(told)


def test_a_preset_is_recognised_though_its_key_column_is_missing():
    rows = "Cup,Acme,Title,Default,CUP-1,9.00,active\nPot,Acme,Title,Default,POT-1,8.00,draft\n"
    told = look(f"{SHOP}\n{rows}", Asked(currency="EUR"))
    assert (told.preset, told.dry_read.accepted, told.dry_read.skipped) == ("shopify", 1, 1)


def test_what_would_be_sold_wrongly_is_counted():
    told = table(
        "sku,product_name,price,currency,quantity",
        "A,Cup,9.00,EUR,3", "B,Pot,,EUR,3", "C,Jug,0,EUR,3", "D,Pan,x,EUR,3", "E,Mug,5,EUR,",
        "E,Mug,5,EUR,4",
    )  # fmt: skip
    assert told.losses == {"rejected": 1, "unpriced": 2}
    told = table("sku,product_name,price,currency,quantity", "A,Cup,9,EUR,3", "B,Pot,9,EUR,")
    assert told.losses == {"untracked": 1}
    assert table("sku,product_name,price,currency", "A,Cup,9,EUR").losses == {}
    assert table("sku,quantity", "A,3", "B,").losses == {}


@pytest.mark.slow
def test_trials_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """However many columns there are, and however many records."""
    readings: list[int] = []
    read = Reading.read

    def counted(reading: Reading, records: Iterable[Record], limit: int) -> None:
        readings.append(limit)
        read(reading, records, limit)

    monkeypatch.setattr(Reading, "read", counted)
    names = [field.name for field in FIELDS if field.name not in ("sku", "product_name")]
    row = ",".join("x 5 pcs" for _ in names)
    rows = "".join(f"S{n},Cup,{row}\n" for n in range(TRIAL_RECORDS * 2))
    look(f"sku,product_name,{','.join(names)}\n{rows}")
    assert sum(limit == TRIAL_RECORDS for limit in readings) <= 3 * MOST_TRIALS
    assert sum(limit > TRIAL_RECORDS for limit in readings) <= 2


@pytest.mark.parametrize("name", ["Cup", "cup", "CUP", "All", "Top"])
def test_a_name_that_is_a_currencys_code_too_is_no_currency(name: str):
    """A column that is called a title has names, whatever they are."""
    text = f"sku;Titel;Preis\nA-1;{name};5,00\nA-2;{name};6,00\nA-3;{name};7,00\n"
    found = look(text.encode(), Asked(currency="EUR"))
    assert found.profile.columns["product_name"].from_ == ("Titel",)
    assert "currency" not in found.profile.columns


def test_a_file_without_quoting_is_proposed_to_be_read_so_where_more_is_right_then():
    """In inches, and in names of goods, quotes are characters."""
    header = "sku\tproduct_name\tprice\n"
    rows = 'A-1\t"5" pipe\t5.00\nA-2\tLamp\t6.00\nA-3\t"open\t7.00\nA-4\tCup\t8.00\n'
    found = examine(io.BytesIO((header + rows).encode()), Asked(currency="EUR"))
    assert (found.profile.quotes, found.dry_read.accepted) == ("none", 4)
    assert [(q.code, q.assumed) for q in found.questions] == [("quotes", 'quotes = "none"')]
    # With a delimiter within quotes, they do stand around cells.
    quoted = 'sku,product_name,price\nA-1,"Lamp, red",5\nA-2,"Pot" green,6\nA-3,"Cup, b",7\n'
    found = examine(io.BytesIO(quoted.encode()), Asked(currency="EUR"))
    assert (found.profile.quotes, found.questions) == ("double", ())
    assert (found.dry_read.accepted, found.dry_read.rejected) == (2, 1)

"""The readers that are fuzzed: each takes bytes, and tells what kind of outcome they had.

Only FileRefused, InvalidInput and NotFound may come out of one, each where it is a reader's way to
say no. Whatever was taken has to be accounted for: every character of the text in some record,
every record of the text in some record of the feed, each problem with a public code, and every
record of a feed in the summary of its job.
"""

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import commerce_core
from commerce_core.base import ids
from commerce_core.base.errors import FileRefused, InvalidInput, NotFound
from commerce_core.base.paging import Position, read_cursor, write_cursor
from commerce_core.base.text import BLANKS
from commerce_core.commerce import Commerce
from commerce_core.doctor import Asked, examine
from commerce_core.feeds.job import MOST_PROBLEMS_KEPT
from commerce_core.parsing.decoding import read_text, unpacked
from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.formats import open_records
from commerce_core.parsing.raw_records import lines_in
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.normalise import Style, translation
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import DELIMITERS, Column, Preset, Profile
from commerce_core.schema.cells import Misread, Warned, read_sku, reader_of
from commerce_core.schema.fields import FIELDS, Mode
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import PROBLEMS, Problem
from entrypoints.profile_files import read_profile, write_json, write_toml

Outcome = tuple[object, ...]
Reader = Callable[[bytes], Outcome]

FILE_CODES: Final = {
    "empty", "no_header", "missing_column", "ambiguous_column", "ambiguous_dialect", "not_text",
    "undecodable", "unterminated_quote", "too_large", "truncated", "html", "xml", "json",
    "error_message", "no_sheet", "nested_records",
}  # fmt: skip
_MODES: Final[tuple[Mode, ...]] = ("full", "delta")
_ZONE: Final = ZoneInfo("America/New_York")
_ENCODINGS: Final = (None, "cp1252", "iso-8859-15", "cp037", "shift_jis")


def _chosen(data: bytes, count: int) -> int:
    """One of so many ways, by the bytes themselves, so that they alone tell what happened."""
    return sum(data[-8:]) % count


def fuzz_bytes(data: bytes) -> Outcome:
    """Unpacking and decoding."""
    encoding = _ENCODINGS[_chosen(data, len(_ENCODINGS))]
    try:
        size = sum(map(len, unpacked(io.BytesIO(data))))
        text = read_text(io.BytesIO(data), encoding)
        characters = sum(map(len, text))
    except FileRefused as refused:
        return _refused(refused)
    assert characters <= size, "more characters than bytes"
    return (text.encoding, bool(text.mark), size == len(data))


def fuzz_records(data: bytes) -> Outcome:
    """Splitting into records, without a character lost."""
    text = data.decode("utf-8", "replace")
    delimiter = (None, *DELIMITERS)[_chosen(data, 1 + len(DELIMITERS))]
    read: list[str] = []
    line = 1
    try:
        opened = open_records(iter([text[:7], text[7:], ""]), delimiter, lambda _: False)
        if isinstance(opened.format, Delimited) and opened.format.has_sep_line:
            read, line = lines_in(text)[:1], 2
        for record in opened.records:
            if opened.delimiter is not None:
                assert record.line == line, f"begins on {line}, says {record.line}"
                line += record.lines
                read.append(record.sent)
    except FileRefused as refused:
        return _refused(refused)
    if opened.delimiter is not None:
        assert "".join(read) == text, "text is lost"
    return (opened.delimiter, min(len(read), 5))


def fuzz_feed(data: bytes, profile: Profile) -> Outcome:
    """Reading by a profile, without a record lost."""
    mode, currency = _MODES[_chosen(data, 2)], (None, "EUR", "JPY")[len(data) % 3]
    terms = Terms(mode, currency, _ZONE, profile)
    codes: set[str] = set()
    fates: set[str] = set()
    last = count = 0
    try:
        reader = open_feed(io.BytesIO(data), terms)
        for record in reader:
            assert record.line > last, "records come in the order of their lines"
            last, count = record.line, count + 1
            found = {problem.code for problem in record.problems}
            assert found <= PROBLEMS.keys(), found
            assert record.fate or record.rejected or record.sku, "an offer without a sku"
            codes |= found
            fates.add(record.fate or "offer")
        expected = _records_of(data, reader.delimiter, profile)
        assert count == expected, f"{expected} records in the text, {count} in the feed"
    except FileRefused as refused:
        return _refused(refused)
    return (reader.delimiter, reader.header.corrects is not None, *sorted(codes), *sorted(fates))


def _records_of(data: bytes, delimiter: str | None, profile: Profile) -> int:
    """How many records follow the header, as the text alone says."""
    text = iter(read_text(io.BytesIO(data), profile.encoding))
    path = profile.record_path
    opened = open_records(text, delimiter, lambda _: True, record_path=path)
    records = [r.cells for r in opened.records]
    named = (i for i, cells in enumerate(records) if cells and any(c.strip(BLANKS) for c in cells))
    return len(records) - 1 - next(named)


def fuzz_profile(data: bytes) -> Outcome:
    """Profiles: what is read is written and read again, and reads any file without a fall."""
    try:
        profile = read_profile(data)
    except InvalidInput as refused:
        return (refused.code, *sorted({fault.code for fault in refused.faults}))
    assert read_profile(write_toml(profile).encode()) == profile
    assert read_profile(write_json(profile).encode()) == profile
    return ("read", *(fuzz_feed(file, profile) for file in SAMPLES))


SAMPLES: Final = (
    "Artikelnummer;Marke;Modell;Menge;Ab;Preis;Farbe;Bild;Status\n"
    "1;A;B;5 neu;31.03.2026 18:00;1.299,00 €;rot;http://a;Entwurf\n1;;;viele;;;;http://b;\n".encode(
        "cp1252"
    ),
    b"Handle,Preis,Size,Variant SKU\nx,1,2,3\nx,,,\n",
)


def fuzz_words(data: bytes) -> Outcome:
    """Identifiers, cursors and cells: text in, a value or a known refusal out."""
    text = data[:3000].decode("utf-8", "surrogateescape")
    found: list[object] = []
    for line in text.split("\n")[:20]:
        found += [_id(line), _cursor(line), read_sku(line) is None, *_cells(line)]
    return tuple(found[:80])


def _id(text: str) -> str:
    try:
        parsed = ids.parse("feed", text)
    except NotFound as refused:
        return refused.code
    assert ids.parse("feed", parsed) == parsed
    return "id"


def _cursor(text: str) -> str:
    try:
        read_cursor("a query", text)
    except InvalidInput as refused:
        return refused.code
    position = Position(text, text) if text.isprintable() else Position(None, "a")
    written = write_cursor("a query", position)
    assert len(text) > 500 or read_cursor("a query", written) == position
    return "cursor"


def _cells(line: str) -> list[str]:
    text = line.strip(BLANKS)
    found: list[str] = []
    for field in FIELDS if text and "\0" not in text else ():
        for style in (Style(), Style(",", "EUR"), Style(".", "INR")):
            translated = translation(Column(), field.kind, style)(text)
            if isinstance(translated, str) and translated:
                translated = reader_of(field.kind, _ZONE)(translated)
            if isinstance(translated, Misread | Warned):
                assert translated.code in PROBLEMS, translated
                found.append(translated.code)
    return found


def fuzz_doctor(data: bytes) -> Outcome:
    """The doctor never raises."""
    told = examine(io.BytesIO(data), Asked(most_records=200))
    codes = {note.code for note in told.notes} | {asked.code for asked in told.questions}
    refusal = told.refusal.code if told.refusal else None
    return (told.verdict, refusal, told.preset, *sorted(codes))


def fuzz_intake(data: bytes) -> Outcome:
    """Intake as a whole: a job that ends, with every record accounted for."""
    presets = tuple(PRESET_PROFILES)
    preset, mode = presets[_chosen(data, len(presets))], _MODES[len(data) % 2]
    if not data:
        return ("refused at upload",)
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Aroma", currency="EUR")
        commerce.sources.set_profile(Profile(preset=preset), partner="Aroma")
        ended = [_ended(commerce, data, mode) for _ in range(2)]
    return tuple(ended)


def _ended(commerce: Commerce, data: bytes, mode: Mode) -> Outcome:
    """How the job of a feed ended; what it says of the catalog is what stands there."""
    before = commerce.products.page(partner="Aroma", count=True).count or 0
    job = commerce.feeds.load(io.BytesIO(data), partner="Aroma", mode=mode)
    after = commerce.products.page(partner="Aroma", count=True).count or 0
    if job.status == "failed":
        assert job.error is not None
        assert job.error.code in FILE_CODES | {"nothing_accepted"}, job.error
        assert after == before
        return ("failed", job.error.code)
    assert job.summary is not None
    job.summary.check(before, after)
    listed = list(commerce.jobs.problems(job.job_id))
    _check_listed(listed, job.summary.problems_by_code)
    return (job.outcome, *sorted(job.summary.problems_by_code))


def _check_listed(listed: Sequence[Problem], by_code: Mapping[str, int]) -> None:
    """All problems are listed, but for warnings of which the first are, and what has no room."""
    counted = Counter(problem.code for problem in listed)
    alike = Counter((p.code, p.column) for p in listed if p.severity == "warning")
    cut = {code for (code, _), times in alike.items() if times == MOST_ALIKE}
    assert counted <= Counter(by_code)
    assert max(alike.values(), default=0) <= MOST_ALIKE
    if len(listed) < MOST_PROBLEMS_KEPT:
        assert {code for code, times in by_code.items() if counted[code] != times} <= cut


def _refused(refused: FileRefused) -> Outcome:
    assert refused.code in FILE_CODES, refused.code
    return ("refused", refused.code)


def _feed_reader(preset: Preset) -> Reader:
    return lambda data: fuzz_feed(data, PRESET_PROFILES[preset])


_GERMAN: Final = read_profile(
    b'encoding = "cp1252"\ndecimal = ","\ncurrency = "EUR"\n[columns]\nsku = "Artikelnummer"\n'
    b'product_name = "Bezeichnung"\nprice = "Preis"\nquantity = "Menge"\n'
)
_NESTED_JSON: Final = read_profile(
    b'record_path = "products[]/variants[]"\n[columns]\nproduct_name = "../title"\n'
)
_NESTED_XML: Final = read_profile(
    b'record_path = "shop/product[]/variants/variant[]"\n[columns]\nsku = ["@sku", "../@id"]\n'
    b'product_name = "../title"\n'
)
READERS: Final[Mapping[str, Reader]] = {
    "bytes": fuzz_bytes,
    "records": fuzz_records,
    "nested JSON": lambda data: fuzz_feed(data, _NESTED_JSON),
    "nested XML": lambda data: fuzz_feed(data, _NESTED_XML),
    "german": lambda data: fuzz_feed(data, _GERMAN),
    **{preset: _feed_reader(preset) for preset in PRESET_PROFILES},
    "profile": fuzz_profile,
    "words": fuzz_words,
    "doctor": fuzz_doctor,
    "intake": fuzz_intake,
}

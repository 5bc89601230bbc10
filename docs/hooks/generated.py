"""Writes the tables of the reference from the code they are about.

A page marks where one goes: `<!-- generated: columns -->` before it, `<!-- end -->` after it. The
site is built with fresh ones, and a test fails where the pages in the repository differ. To renew
those:

    .venv/bin/python docs/hooks/generated.py
"""

import ast
import inspect
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

import adapters
import commerce_core
import entrypoints
from commerce_core.base import errors
from commerce_core.feeds import guards
from commerce_core.schema import fields
from commerce_core.schema.problems import PROBLEMS
from entrypoints import http, problems, reading, settings
from entrypoints.http.app import api_description
from entrypoints.http.kit.problems import _OF_HTTP as OF_HTTP

DOCS: Final = Path(__file__).parents[1]
CORE: Final = Path(commerce_core.__file__).parent
HTTP: Final = Path(http.__file__).parent
ELSEWHERE: Final = "..."
"""Stands for the part of a text that isn't in the code."""
SECTION: Final = re.compile(
    r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL
)

REFUSED_FILES: Final = {
    "empty": "The file has nothing but blank lines.",
    "no_header": "The first record names no field that we know.",
    "missing_column": "A required column isn't there; the headers found are listed.",
    "ambiguous_column": "Two columns could be the same field; both are named.",
    "not_text": "It is a picture, an archive, a document or a program, not delimited text.",
    "ambiguous_dialect": "More than one delimiter could be meant.",
    "undecodable": "A byte isn't of the encoding; its line is named.",
    "unterminated_quote": "A quote is never closed; the line that opens it is named.",
    "too_many_rejected": "More records were rejected than the source tolerates; nothing landed.",
    "too_large": "A limit was passed: the length of a record, the number of columns or records.",
    "too_late": "Too much newer data would have to be searched for the products that this older "
    "feed may no longer change; the message names the limit. Send their present state instead.",
    "row_count": "It hasn't as many records as `expected_rows` announced.",
    "nothing_accepted": "Not one record could be accepted, or there was none.",
    "superseded": "A newer full feed of the source is read instead; the job is cancelled.",
    "set_aside": "Three attempts ended without a word, or the database fell over in five. Nobody "
    "tries again by itself.",
}
"""What the error codes of a job mean, where the code alone doesn't say it."""

EXIT_CODES: Final = {
    0: "It is done. With `--wait`: the job has completed, even where records were rejected.",
    problems.EXIT_USAGE: "The words of the command can't be read, or a value of them can't be.",
    problems.EXIT_HELD: "The feed is held and waits for an approval.",
    problems.EXIT_REFUSED: "What was sent breaks a rule. With `--wait`: the job failed. With "
    "`--strict`: a record was rejected.",
    problems.EXIT_NOT_FOUND: "There is no such thing, or no such file.",
    problems.EXIT_BUG: "A fault of ours; the details are in the file that is named.",
    problems.EXIT_CONFLICT: "The thing is there, and its state says no.",
    problems.EXIT_TRY_AGAIN: "A part is out of reach; try again later.",
    problems.EXIT_NO_PERMISSION: "The key is unknown, or doesn't allow this.",
    130: "You interrupted it.",
}

SETTINGS: Final = {
    "database_url": "`embedded:[DIR]`, a PostgreSQL of our own under DIR; `postgresql://...`, one "
    "of yours, version 15 or newer; `memory:`, which is gone with the process.",
    "files_url": "Where raw files are kept: `file:[DIR]`, `s3://BUCKET/PREFIX`, or `memory:`.",
    "data_dir": "Where the embedded parts live, unless the URLs name folders of their own.",
    "most_upload_bytes": "How large a raw file may be, in bytes.",
    "lease_seconds": "After how many seconds without a word from its worker a job is taken over "
    "by another; 0.2 to 3600.",
    "log_level": "From which level on events are logged: `debug`, `info`, `warning` or `error`. "
    "At `debug` unexpected errors are logged with their words, which may quote what was sent.",
    "log_format": "`json`, one object a line; `text`, for people; `auto` is text on a terminal "
    "and JSON elsewhere.",
    "metrics": "`on` answers `GET /metrics` beside the API, `off` nowhere; `HOST:PORT` answers it "
    "there alone, for the server and for `commerce worker`.",
    "history_days": "For how many days versions of products are kept once they were replaced; for "
    "ever unless it is set. What is forgotten can't be asked about, followed or reverted to.",
}
"""What each setting means; one without a meaning fails the build."""


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# Feeds


def columns() -> str:
    """Every field of a feed."""
    rows = [(f"`{f.name}`", _kind(f.kind), f.meaning, _codes(f.aliases)) for f in fields.FIELDS]
    return table(("field", "kind", "what it is", "also understood as"), rows)


def _kind(kind: fields.Kind) -> str:
    """A kind's name, linked to what is said about it."""
    name = _words(type(kind))
    return f"[{name}](#kinds)" + (
        f", up to {kind.longest:,}" if isinstance(kind, fields.Text) else ""
    )


def _words(kind: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


def kinds() -> str:
    """How the cells of each kind are read."""
    met = dict.fromkeys(type(f.kind) for f in fields.FIELDS)
    return table(
        ("kind", "how a cell is read"), [(_words(kind), inspect.getdoc(kind) or "") for kind in met]
    )


def words() -> str:
    """What is understood where one of a few words is wanted."""
    rows = [
        (f"`{f.name}`", f"`{meant}`", _codes(s for s, m in f.kind.spellings.items() if m == meant))
        for f in fields.FIELDS
        if isinstance(f.kind, fields.Word)
        for meant in dict.fromkeys(f.kind.spellings.values())
    ]
    return table(("field", "value", "understood from"), rows)


GUARDS: Final = {
    "removals": ("holds", "percent of the source's active products that would be removed"),
    "file_size": ("holds", "by how many percent a whole file is smaller than the last one"),
    "columns_gone": ("holds", "mapped columns that the last whole file had and this one lacks"),
    "rekeyed": ("holds", "percent of the ids that vanish while a new one comes that is the same"),
    "price_median": ("holds", "the median of the prices that move, up or down, in percent"),
    "price_leap": ("warns", "how many fold a price may move; beyond it the old one is kept"),
    "out_of_stock": ("warns", "percent of the products in stock that would be sold out"),
    "judged_from": ("", "so many products, records or moved prices it takes for a judgement"),
}
"""What each setting of the guards is about."""


def guards_() -> str:
    """The settings of the guards, with their defaults."""
    rows = [
        (f"`{field.name}`", _limit(field.default), *GUARDS[field.name])
        for field in attrs.fields(guards.GuardSettings)
    ]
    return table(("name", "default", "does", "what it looks at"), rows)


def _limit(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


# Codes


def record_problems() -> str:
    """What can be wrong with a record."""
    rows = [(f"`{code}`", severity, hint) for code, (severity, hint) in PROBLEMS.items()]
    return table(("code", "severity", "what to do"), rows)


def job_errors() -> str:
    """Why a job can fail as a whole."""
    found: dict[str, str] = {}
    for call in _calls():
        if _name(call) in ("FileRefused", "JobError") and call.args:
            code, *words = map(_text, call.args)
            found.setdefault(code, words[0] if words else "")
    found.pop(ELSEWHERE, None)
    meanings = {code: meant for code, meant in REFUSED_FILES.items() if code in found}
    rows = [(f"`{code}`", meant) for code, meant in (found | meanings).items()]
    return table(("code", "what it means"), sorted(rows))


def refusals() -> str:
    """How HTTP and the command line tell each kind of refusal."""
    codes = _codes_by_error()
    rows = [(str(status), "", title, f"`{code}`") for status, (code, title, _) in OF_HTTP.items()]
    for kind in _kinds_of_error(errors.CommerceError):
        problem = problems.problem_of(kind(""))
        known = _codes(sorted({kind.code, *codes[kind.__name__]}))
        rows.append((str(problem.status), str(problem.exit_code), problem.title, known))
    return table(("status", "exit code", "`title`", "`code`"), sorted(rows))


def _kinds_of_error(root: type[errors.CommerceError]) -> Iterator[type[errors.CommerceError]]:
    """Those that a client can meet: a refused file fails its job, how a run ends is ours."""
    # An adapter's own kinds are told as the public ones that they are.
    for kind in (k for k in root.__subclasses__() if not k.__name__.startswith("_")):
        if kind not in (errors.FileRefused, errors.RunLost, errors.Severed):
            yield kind
        yield from _kinds_of_error(kind)


def faults() -> str:
    """What the `errors` of a problem can say."""
    pointers: defaultdict[str, set[str]] = defaultdict(set)
    for call in _calls():
        if _name(call) in ("Fault", "at") and len(call.args) > 1:
            pointer, code = map(_text, call.args[:2])
            pointers[code].add(pointer)
    pointers.pop(ELSEWHERE, None)
    rows = [(f"`{code}`", _codes(sorted(at))) for code, at in sorted(pointers.items())]
    return table(("code", "pointer"), rows)


def _codes_by_error() -> Mapping[str, set[str]]:
    """The codes that are given where errors are raised, by the class of error."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for call in _calls():
        for keyword in call.keywords:
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                found[_name(call)].add(_text(keyword.value))
    return found


def _calls() -> Iterator[ast.Call]:
    """All calls in the core and in what answers HTTP."""
    for module in sorted((*CORE.glob("*.py"), *HTTP.rglob("*.py"), Path(reading.__file__))):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _text(node: ast.expr) -> str:
    """What a literal says; what is only known when the code runs is left out."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_text, parts))
        case _:
            return ELSEWHERE


def exit_codes() -> str:
    """What the exit codes of the command mean."""
    rows = [(f"`{code}`", EXIT_CODES[code]) for code in sorted(EXIT_CODES)]
    known = {value for name, value in vars(problems).items() if name.startswith("EXIT_")}
    if known - EXIT_CODES.keys():
        raise LookupError(f"no meaning of exit code {sorted(known - EXIT_CODES.keys())}")
    return table(("exit code", "what it means"), rows)


# Routes and settings


def routes() -> str:
    """Every route, from the description of the interface."""
    rows = []
    for path, methods in sorted(api_description()["paths"].items()):
        for method, described in methods.items():
            asked = [p["name"] for p in described["parameters"] if p["in"] == "query"]
            scope = re.search(r"scope (`[^`]+`)", described["description"])
            rows.append(
                (
                    f"`{method.upper()} {path}`",
                    described["summary"],
                    _codes(asked),
                    scope[1] if scope else "no key",
                )
            )
    return table(("route", "what it does", "in the query", "scope"), rows)


def settings_() -> str:
    """Every setting, with its default."""
    rows = []
    for attribute in attrs.fields(settings.Settings):
        variable = f"`{settings.PREFIX}{attribute.name.upper()}`"
        default = f"`{attribute.default}`"
        rows.append((variable, f"`{attribute.name}`", default, SETTINGS[attribute.name]))
    return table(("variable", f"in `{settings.FILE}`", "default", "what it means"), rows)


# The tree


def core() -> str:
    """The core's packages and their modules, from what uses all others down to what uses none."""
    house = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    contracts = house["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["id"] == "core")
    names = re.findall(r"\w+", " ".join(layers))
    return _modules(CORE, (path for name in names for path in _of_layer(CORE / name)))


def _of_layer(path: Path) -> list[Path]:
    """The module of that name, or the package and its modules."""
    if not path.is_dir():
        return [path.with_suffix(".py")]
    return [path / "__init__.py", *sorted(set(path.glob("*.py")) - {path / "__init__.py"})]


def adapters_() -> str:
    """The adapters."""
    root = Path(adapters.__file__).parent
    return _modules(root, _inside(root))


def entrypoints_() -> str:
    """The entry points."""
    root = Path(entrypoints.__file__).parent
    return _modules(root, _inside(root))


def _inside(root: Path) -> list[Path]:
    """The modules and packages in a package, and the packages in those."""
    found = (*root.glob("*.py"), *root.glob("*/__init__.py"), *root.glob("*/*/__init__.py"))
    return sorted(path for path in found if path != root / "__init__.py")


def _modules(root: Path, paths: Iterable[Path]) -> str:
    """Modules by their place under the root, each with the first sentence of its docstring."""
    rows = []
    for path in paths:
        if path.exists():
            place = path.relative_to(root)
            name = f"{place.parent}/" if path.stem == "__init__" else str(place.with_suffix(""))
            docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            rows.append((f"`{name}`", docstring.partition("\n\n")[0].replace("\n", " ")))
    return table(("module", "what it knows"), rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "columns": columns,
    "kinds": kinds,
    "words": words,
    "guards": guards_,
    "record-problems": record_problems,
    "job-errors": job_errors,
    "refusals": refusals,
    "faults": faults,
    "exit-codes": exit_codes,
    "routes": routes,
    "settings": settings_,
    "core": core,
    "adapters": adapters_,
    "entrypoints": entrypoints_,
}


def filled(page: str) -> str:
    """The page with fresh tables where it marks them."""
    return SECTION.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", page)


def on_page_markdown(markdown: str, **_: object) -> str:
    """What MkDocs calls for each page."""
    return filled(markdown)


def main() -> None:
    """Renews the pages in the repository."""
    for path in DOCS.rglob("*.md"):
        page = path.read_text("utf-8")
        if filled(page) != page:
            path.write_text(filled(page), "utf-8")
            print(f"renewed {path.relative_to(DOCS)}")


if __name__ == "__main__":
    main()

"""Generates the tables of the reference from the code that they document.

A page marks the place of a table: `<!-- generated: columns -->` before it, `<!-- end -->` after it.
The site is built with fresh tables, and a test fails if a page in the repository is out of date. To
update the pages:

    .venv/bin/python docs/hooks/generated.py
"""

import ast
import inspect
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import attrs

import adapters
import commerce_core
import entrypoints
from commerce_core.activity import event_schemas
from commerce_core.activity.events import EventKind, scope_of
from commerce_core.base import errors
from commerce_core.base.ids import mint
from commerce_core.doctor import survey
from commerce_core.feeds import guards
from commerce_core.ingestion import progress
from commerce_core.orders import states
from commerce_core.parsing import carrying, decoding, groups, nesting, objects, raw_records
from commerce_core.partners import access
from commerce_core.pricing import form_reference
from commerce_core.profiles import limits, mapping, patterns, profile
from commerce_core.schema import fields
from commerce_core.schema.problems import PROBLEMS
from commerce_core.webhooks.message import body_of
from commerce_core.webhooks.subscription import Webhook
from entrypoints import http, problems, reading, settings
from entrypoints import limits as server_limits
from entrypoints.http.app import api_description
from entrypoints.http.kit.problems import _OF_HTTP as OF_HTTP

DOCS: Final = Path(__file__).parents[1]
CORE: Final = Path(commerce_core.__file__).parent
HTTP: Final = Path(http.__file__).parent
ELSEWHERE: Final = "..."
"""Stands for the part of a text that is known only at run time."""
SECTION: Final = re.compile(
    r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL
)

JOB_ERRORS: Final = {
    "empty": "The file contains only blank lines.",
    "no_sheet": "The workbook has no sheet with the name that the profile declares.",
    "nested_records": "Records have records in them, such as variants, and the profile doesn't "
    "declare which ones are products.",
    "no_header": "The first record contains no known column name.",
    "missing_column": "A required column is missing. The message lists the headers found.",
    "ambiguous_column": "Two columns could be the same field. The message names both.",
    "not_text": "The file is an image, an archive, a spreadsheet, a document or a program, or in "
    "UTF-16 without a byte order mark. The message says which.",
    "html": "The file is an HTML page or table, whatever its name says.",
    "xml": "The file is XML that can't be read as records, or an Excel workbook in XML. The "
    "message says why.",
    "json": "The file is JSON that can't be read as records, such as an error or one value. The "
    "message says why.",
    "error_message": "The file begins with an error message of the program that wrote it.",
    "truncated": "The file is cut off: an archive ends before its contents do, or the text within "
    "a character.",
    "ambiguous_dialect": "More than one delimiter is possible.",
    "undecodable": "A byte is invalid in the file's encoding. The message gives its line.",
    "unterminated_quote": "A quote is never closed. The message gives the line that opens it.",
    "too_many_rejected": "More records were rejected than the source tolerates.",
    "too_large": "A limit was exceeded: the length of a record, or the number of columns, records "
    "or parts of an archive. See [the limits](file-limits.md).",
    "unreadable": "The content makes a reader fail. The message gives the line that was reached.",
    "bad_profile": "The source's profile is beyond [a limit](file-limits.md#profiles). The message "
    "names the part.",
    "too_late": "Too much newer data would have to be searched for the products that this older "
    "feed may no longer change. The message names the limit. Send their current state instead.",
    "preset_needed": "The file is a platform's export with records that aren't for sale there, "
    "and the source has no profile. Save one, with the preset that the message names or without.",
    "row_count": "The number of records differs from `expected_rows`.",
    "nothing_accepted": "All records were rejected, or the file contains none.",
    "rejected": "The feed was held, and an operator rejected it. The message is the operator's "
    "note.",
    "partner_not_active": "The partner was paused or offboarded before the feed was applied. Once "
    "it is active again, create a new job for the feed.",
    "superseded": "A newer full feed of the source is processed instead; the job is cancelled.",
    "cancelled": "The job was cancelled while it was running. Nothing of it was kept; its feed "
    "stays as it was.",
    "out_of_time": "The feed's time budget was used up; the message states how far it was. Nothing "
    "of it was kept, and it isn't retried.",
    "partner_offboarded": "The partner was offboarded, which cancels its queued and running jobs.",
    "set_aside": "The job is quarantined, because three attempts crashed or five disconnected from "
    "the database. It isn't retried automatically.",
}
"""What the error codes of a job mean."""

EXIT_CODES: Final = {
    0: "Success. With `--wait`: the job has completed, even if records were rejected.",
    problems.EXIT_USAGE: "Invalid usage: an unknown command or option, or an invalid value.",
    problems.EXIT_HELD: "The feed is held, and waits for approval.",
    problems.EXIT_REFUSED: "Invalid data. With `--wait`: the job failed. With `--strict`: a record "
    "was rejected.",
    problems.EXIT_NOT_FOUND: "Not found: no such resource or file exists.",
    problems.EXIT_BUG: "Internal error. The message names a file that contains the details.",
    problems.EXIT_CONFLICT: "Conflict: the current state of the resource doesn't allow this.",
    problems.EXIT_TRY_AGAIN: "A part of the platform is unavailable; try again later.",
    problems.EXIT_NO_PERMISSION: "Permission denied.",
    130: "Interrupted with Ctrl-C.",
}

SCOPES: Final = {
    "partners:read": "seeing partners: an operator all, a partner itself",
    "partners:write": "adding and changing partners",
    "keys:write": "issuing, listing, rotating and revoking keys; reading the audit log",
    "feeds:read": "seeing feeds, jobs, plans, sources and profiles; examining files",
    "feeds:write": "sending feeds, starting and cancelling jobs, changing sources and profiles",
    "feeds:decide": "approving, rejecting and reverting feeds; changing a source's guards, when its"
    " files are expected, and how old they may become before their products aren't sold",
    "catalog:read": "seeing products and their history, changes and exports",
    "orders:read": "seeing orders",
    "orders:write": "placing orders",
    "orders:act": "confirming, fulfilling, cancelling and refunding orders; a partner its own part",
    "pricing:read": "listing and examining price rules, and pricing baskets",
    "pricing:write": "adding, changing and archiving price rules",
    "webhooks:read": "seeing webhooks and the log of their deliveries",
    "webhooks:write": "adding, changing, testing and removing webhooks; sending deliveries again",
    "alerts:read": "seeing alert channels and the log of alerts",
    "alerts:write": "adding, changing, testing and removing alert channels",
    "money:read": "seeing terms and statements of what is owed",
    "money:write": "setting terms, recording payouts and corrections, closing statements",
    "analytics:read": "seeing sales figures, and the entries of the ledger",
}
"""What each scope allows."""
_GRANTS: Final = {"default": "by default", "on_request": "only if granted", "never": "never"}

SETTINGS: Final = {
    "database_url": "`embedded:[DIR]`, a PostgreSQL that the platform runs under DIR; "
    "`postgresql://...`, your own server, version 15 or newer; or `memory:`, which is lost when "
    "the process ends.",
    "files_url": "Where raw files are stored: `file:[DIR]`, `s3://BUCKET/PREFIX` or `memory:`.",
    "data_dir": "Directory of the embedded database and of files, unless the URLs specify others.",
    "most_upload_bytes": "Maximum size of a raw file, in bytes.",
    "lease_seconds": "Seconds after which another worker takes over a job whose worker has stopped "
    "responding; 0.2 to 3600.",
    "feed_seconds": "Seconds that an attempt at a feed may take; then it fails with `out_of_time`, "
    "and isn't tried again; 0.2 to 604800.",
    "log_level": "Lowest level that is logged: `debug`, `info`, `warning` or `error`. At `debug`, "
    "the messages of unexpected errors are logged too; they may contain data that was sent.",
    "log_format": "`json`, one object per line; `text`, for people to read; or `auto`, text on a "
    "terminal and JSON elsewhere.",
    "metrics": "`on` serves `GET /metrics` next to the API; `off` doesn't serve it; `HOST:PORT` "
    "serves it only at that address, also for `commerce worker`.",
    "history_days": "Days for which superseded versions of products are kept; by default, forever. "
    "Deleted versions can't be queried, followed or reverted to.",
    "orders_expire_minutes": "Minutes after which an order that wasn't confirmed expires: it is "
    "cancelled then, and its units can be sold again. By default, orders don't expire.",
    "duplicate_orders": "`warn` places an order that repeats the reference and the items of one "
    "placed within ten minutes, with a warning; `refuse` refuses it. Orders with an idempotency "
    "key are never compared.",
    "proxies": "Addresses or networks of proxies and load balancers, separated by commas; their "
    "`X-Forwarded-For` names the client.",
    "vault_keys": "Keys that stored secrets, such as the passwords of sources, are sealed with: "
    "`ID:BASE64` of 32 random bytes each, separated by commas, or `file:PATH`, a file with them. "
    "The first seals, all of them open; how to replace it is described in "
    "[Rotate the vault key](../how-to/rotate-the-vault-key.md). The same for all processes. By "
    "default, an embedded platform makes one, in `DATA_DIR/vault.key`; any other stores no "
    "secrets.",
    "outbound_networks": "Private networks, separated by commas, that the platform may call "
    "(sources, webhooks), also without encryption. By default it calls public addresses only.",
    "outbound_ports": "Further ports, or ranges such as `9000-9100`, that it may call, besides "
    "22, 80, 443, 2222, 8080 and 8443.",
    "smtp_url": "Mail server that alerts are sent by: `smtp://USER:PASSWORD@HOST` with STARTTLS, "
    "`smtps://...` with TLS from the start, `smtp+plain://HOST` for a relay without encryption and "
    "password; or `file:PATH`, a file with it. Special characters of a password are "
    "percent-encoded. By default, alerts are sent to webhooks only.",
    "mail_from": "Sender of alerts, such as `alerts@example.com`.",
    "public_url": "Address of the dashboard, to which alerts link, such as "
    "`https://commerce.example.com`.",
}
"""What each setting means; a setting without an entry fails the build."""


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
    return table(("field", "kind", "what it is", "other accepted names"), rows)


def _kind(kind: fields.Kind) -> str:
    """A kind's name, linked to its description."""
    name = _words(type(kind))
    return f"[{name}](#kinds)" + (
        f", up to {kind.longest:,}" if isinstance(kind, fields.Text) else ""
    )


def _words(kind: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


def kinds() -> str:
    """How the cells of each kind are read."""
    used = dict.fromkeys(type(f.kind) for f in fields.FIELDS)
    rows = [(_words(kind), inspect.getdoc(kind) or "") for kind in used]
    return table(("kind", "how a cell is read"), rows)


def _members(members: Mapping[str, form_reference.Member]) -> str:
    """Members of the written form of price rules."""
    rows = [
        (f"`{name}`", member.meaning, f"`{json.dumps({name: member.example})}`")
        for name, member in members.items()
    ]
    return table(("member", "what it means", "example"), rows)


def words() -> str:
    """The spellings of fields that take one of a few words."""
    rows = [
        (f"`{f.name}`", f"`{meant}`", _codes(s for s, m in f.kind.spellings.items() if m == meant))
        for f in fields.FIELDS
        if isinstance(f.kind, fields.Word)
        for meant in dict.fromkeys(f.kind.spellings.values())
    ]
    return table(("field", "value", "accepted spellings"), rows)


GUARDS: Final = {
    "removals": ("holds", "the percentage of the source's active products that would be removed"),
    "file_size": ("holds", "by what percentage a full feed has fewer records than the last one"),
    "columns_gone": ("holds", "mapped columns of the last full feed that this one lacks"),
    "rekeyed": ("holds", "the percentage of active products whose ids would change"),
    "price_median": ("holds", "the median of all price moves, up or down, in percent"),
    "price_leap": (
        "warns",
        "the factor by which a price may rise or fall; beyond it, the old price is kept",
    ),
    "out_of_stock": ("warns", "the percentage of products in stock that would sell out"),
    "judged_from": ("", "the number of products, records or price moves needed to apply a guard"),
}
"""What each setting of the guards means."""


def guards_() -> str:
    """The settings of the guards, with their defaults."""
    rows = [
        (f"`{field.name}`", _limit(field.default), *GUARDS[field.name])
        for field in attrs.fields(guards.GuardSettings)
    ]
    return table(("name", "default", "effect", "what it checks"), rows)


def _limit(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def order_states() -> str:
    """The states of orders and parts, in the order in which they are judged."""
    rows = [(f"`{status}`", meaning) for status, meaning in states.meanings()]
    return table(("state", "the first that applies"), rows)


# Codes


def record_problems() -> str:
    """What can be wrong with a record."""
    rows = [(f"`{code}`", severity, hint) for code, (severity, hint) in PROBLEMS.items()]
    return table(("code", "severity", "what to do"), rows)


def job_errors() -> str:
    """The codes with which a job can fail."""
    found = {nesting.NESTED}
    for call in _calls():
        if _name(call) in ("FileRefused", "JobError", "OtherFile") and call.args:
            found.add(_text(call.args[0]))
    found.discard(ELSEWHERE)
    if found - JOB_ERRORS.keys():
        raise LookupError(f"no meaning of job error {sorted(found - JOB_ERRORS.keys())}")
    return table(("code", "meaning"), [(f"`{code}`", JOB_ERRORS[code]) for code in sorted(found)])


def file_limits() -> str:
    """What a file may have, and what becomes of one that has more."""
    mb, ratio = 1 << 20, carrying.HIGHEST_CARRIED_RATIO
    carried = f"MB that records take from the first of their group, or {ratio} times the file"
    rows = (
        ("characters of a record", raw_records.LONGEST_RECORD, "`too_large`, or the open quote"),
        ("characters of a cell", fields.LONGEST_CELL, "`oversized_cell`, of its record"),
        ("columns", mapping.MOST_COLUMNS, "`too_large`"),
        ("records", progress.MOST_RECORDS, "`too_large`"),
        ("records, beside one for each byte sent", progress.RECORDS_BESIDE_BYTES, "`too_large`"),
        ("depth of a JSON record", fields.DEEPEST_JSON, "`oversized_json`, of its record"),
        ("values of a JSON record", fields.MOST_JSON_VALUES, "`oversized_json`, of its record"),
        ("lists in which records may be, one in the other", profile.MOST_LEVELS, "not declared"),
        ("JSON records whose keys make the header", objects.OBJECTS_LOOKED_AT, "not read"),
        ("records folded into one", groups.MOST_FOLDED, "`too_large`"),
        (carried, carrying.MOST_CARRIED // mb, "`too_large`"),
        ("parts of an archive", decoding.MOST_PARTS, "`too_large`"),
        ("MB that an archive expands to", decoding.MOST_EXPANDED // mb, "`too_large`"),
        ("times its size that an archive expands to", decoding.HIGHEST_RATIO, "`too_large`"),
        ("records that `doctor` examines", survey.MOST_RECORDS, "not examined"),
        ("MB that `doctor` examines", survey.MOST_BYTES // mb, "not examined"),
        ("cells that `doctor` examines", survey.MOST_CELLS, "not examined"),
    )  # fmt: skip
    return table(("of a file", "at most", "more"), [(a, f"{b:,}", c) for a, b, c in rows])


def profile_limits() -> str:
    """What a profile may ask of each record."""
    rows = (
        ("columns that a field, a template or a group names", limits.MOST_HEADERS),
        ("times that a text names a column which it joins", 1),
        ("templates of an identity", limits.MOST_TEMPLATES),
        ("rules by which records are skipped", limits.MOST_SKIP_RULES),
        ("words of a column or a rule", limits.MOST_WORDS),
        ("columns kept as attributes", profile.MOST_ATTRIBUTES),
        ("characters of a name, a word or a constant", limits.LONGEST_WORD),
        ("characters added to each record", limits.MOST_ADDED),
        ("characters of a pattern", patterns.LONGEST_PATTERN),
        ("steps of a pattern, repetitions written out", patterns.MOST_STEPS),
        ("steps of all patterns", limits.MOST_STEPS_IN_ALL),
        ("characters of a cell that a pattern can match", patterns.LONGEST_MATCHED),
    )
    return table(("of a profile", "at most"), [(what, f"{most:,}") for what, most in rows])


def refusals() -> str:
    """How HTTP and the command line report each kind of error."""
    codes = _codes_by_error()
    rows = [(str(status), "", title, f"`{code}`") for status, (code, title, _) in OF_HTTP.items()]
    for kind in _kinds_of_error(errors.CommerceError):
        problem = problems.problem_of(kind(""), {})
        known = _codes(sorted({kind.code, *codes[kind.__name__]}))
        rows.append((str(problem.status), str(problem.exit_code), problem.title, known))
    return table(("status", "exit code", "`title`", "`code`"), sorted(rows))


def _kinds_of_error(root: type[errors.CommerceError]) -> Iterator[type[errors.CommerceError]]:
    """The errors that clients can receive: file errors fail a job, and run errors are internal."""
    # An adapter's private kinds are reported as their public base classes.
    for kind in (k for k in root.__subclasses__() if not k.__name__.startswith("_")):
        if kind not in (errors.FileRefused, errors.RunLost, errors.Severed):
            yield kind
        yield from _kinds_of_error(kind)


def faults() -> str:
    """What the `errors` of a problem can contain."""
    pointers: defaultdict[str, set[str]] = defaultdict(set)
    for call in _calls():
        if _name(call) in ("Fault", "at") and len(call.args) > 1:
            pointer, code = map(_text, call.args[:2])
            pointers[code].add(pointer)
    pointers.pop(ELSEWHERE, None)
    rows = [(f"`{code}`", _codes(sorted(at))) for code, at in sorted(pointers.items())]
    return table(("code", "pointer"), rows)


def _codes_by_error() -> Mapping[str, set[str]]:
    """The codes with which errors are raised, by the class of error."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for call in _calls():
        for keyword in call.keywords:
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                found[_name(call)].add(_text(keyword.value))
    return found


@cache
def _calls() -> Sequence[ast.Call]:
    """All calls in the core and in the HTTP entry point."""
    modules = sorted((*CORE.rglob("*.py"), *HTTP.rglob("*.py"), Path(reading.__file__)))
    nodes = (node for m in modules for node in ast.walk(ast.parse(m.read_text("utf-8"))))
    return [node for node in nodes if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _text(node: ast.expr) -> str:
    """The text of a literal, with `...` for parts that are known only at run time."""
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
    return table(("exit code", "meaning"), rows)


# Routes and settings


def routes() -> str:
    """Every route, from the OpenAPI description."""
    rows = []
    for path, methods in sorted(api_description()["paths"].items()):
        for method, described in methods.items():
            query = [p["name"] for p in described["parameters"] if p["in"] == "query"]
            scope = re.search(r"Needs the scope (`[^`]+`)", described["description"])
            rows.append(
                (
                    f"`{method.upper()} {path}`",
                    described["summary"],
                    _codes(query),
                    scope[1] if scope else "no key",
                )
            )
    return table(("route", "what it does", "query parameters", "scope"), rows)


def scopes() -> str:
    """Every scope: whether a partner's key has it, and the routes that need it."""
    needed: defaultdict[str, list[str]] = defaultdict(list)
    for path, methods in sorted(api_description()["paths"].items()):
        for method, described in methods.items():
            if scope := re.search(r"Needs the scope `([^`]+)`", described["description"]):
                needed[scope[1]].append(f"{method.upper()} {path.removeprefix('/v1')}")
    rows = (
        (f"`{scope}`", SCOPES[scope], _GRANTS[grant], _codes(needed[scope]))
        for scope, grant in access.SCOPES.items()
    )
    return table(("scope", "allows", "a partner's key has it", "routes under `/v1`"), rows)


def settings_() -> str:
    """Every setting, with its default."""
    rows = []
    own = {attribute.name for attribute in attrs.fields(server_limits.Limits)}
    for attribute in attrs.fields(settings.Settings):
        if attribute.name in own:
            continue
        variable = f"`{settings.PREFIX}{attribute.name.upper()}`"
        default = "" if attribute.default is None else f"`{attribute.default}`"
        rows.append((variable, f"`{attribute.name}`", default, SETTINGS[attribute.name]))
    return table(("variable", f"in `{settings.FILE}`", "default", "meaning"), rows)


def limits_() -> str:
    """Every limit, with its default and what happens at it."""
    rows = []
    for attribute, about, at_limit in server_limits.limits_table():
        variable = f"`{settings.PREFIX}{attribute.name.upper()}`"
        rows.append((variable, f"{attribute.default:,.15g}", about, at_limit))
    return table(("variable", "default", "what it limits", "what happens at it"), rows)


# Events


def events_() -> str:
    """Every kind of event, and when it happens."""
    rows = (
        (f"[`{kind}`](#{kind.replace('.', '')})", schema.when, f"`{scope_of(kind)}`")
        for kind, schema in event_schemas.EVENT_SCHEMAS.items()
    )
    return table(("kind", "when", "scope"), rows)


def event_fields() -> str:
    """Every kind of event: its fields, and a sample as a webhook sends it."""
    return "\n\n".join(map(_event, event_schemas.EVENT_SCHEMAS))


def _event(kind: EventKind) -> str:
    schema = event_schemas.EVENT_SCHEMAS[kind]
    at = datetime(2026, 6, 17, 4, 30, tzinfo=UTC)
    ids = count(1)

    def entropy(number: int) -> bytes:
        return next(ids).to_bytes(number, "big")

    event = event_schemas.sample_event(kind, mint("evt", at, entropy), at, None, entropy)
    webhook = Webhook(webhook_id="", partner_id=None, url="", created_at=at, updated_at=at)
    sample = json.dumps(json.loads(body_of(webhook, event, 4711)), indent=2, ensure_ascii=False)
    fields_ = table(("field", "type", "meaning"), _event_rows(schema.fields))
    return f"### {kind}\n\n{schema.when}\n\n{fields_}\n\n```json\n{sample}\n```"


def _event_rows(
    fields_: Iterable[event_schemas.EventField], within: str = ""
) -> Iterator[tuple[str, str, str]]:
    for each in fields_:
        kind = f"{each.type} or null" if each.nullable else each.type
        meaning = f"{each.meaning} Absent if there is none." if each.optional else each.meaning
        yield f"`{within}{each.name}`", kind, meaning
        inner = f"{within}{each.name}[]." if each.type == "array" else f"{within}{each.name}."
        yield from _event_rows(each.members, inner)


# The tree


def core() -> str:
    """The core's packages and their modules, from the top layer to the bottom one."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["id"] == "core")
    names = re.findall(r"\w+", " ".join(layers))
    return _modules(CORE, (path for name in names for path in _of_layer(CORE / name)))


def _of_layer(path: Path) -> list[Path]:
    """The module at that path, or the package with its modules, and the packages within it."""
    if not path.is_dir():
        return [path.with_suffix(".py")]
    inside = sorted(
        child
        for child in path.iterdir()
        if child.suffix == ".py" or (child / "__init__.py").exists()
    )
    return [
        path / "__init__.py",
        *(
            part
            for child in inside
            if child.name != "__init__.py"
            for part in ([child] if child.suffix else _of_layer(child))
        ),
    ]


def adapters_() -> str:
    """The adapters."""
    root = Path(adapters.__file__).parent
    return _modules(root, _inside(root))


def entrypoints_() -> str:
    """The entry points."""
    root = Path(entrypoints.__file__).parent
    return _modules(root, _inside(root))


def _inside(root: Path) -> list[Path]:
    """The modules and packages in a package, and the packages within those."""
    found = (*root.glob("*.py"), *root.glob("*/__init__.py"), *root.glob("*/*/__init__.py"))
    return sorted(path for path in found if path != root / "__init__.py")


def _modules(root: Path, paths: Iterable[Path]) -> str:
    """Modules by their path under the root, each with the first sentence of its docstring."""
    rows = []
    for path in paths:
        if path.exists():
            inside = path.relative_to(root)
            name = f"{inside.parent}/" if path.stem == "__init__" else str(inside.with_suffix(""))
            docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            rows.append((f"`{name}`", docstring.partition("\n\n")[0].replace("\n", " ")))
    return table(("module", "what it contains"), rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "columns": columns,
    "rule-members": lambda: _members(form_reference.RULE),
    "rule-conditions": lambda: _members(form_reference.CONDITIONS),
    "rule-benefits": lambda: _members(form_reference.BENEFITS),
    "kinds": kinds,
    "words": words,
    "guards": guards_,
    "order-states": order_states,
    "record-problems": record_problems,
    "job-errors": job_errors,
    "file-limits": file_limits,
    "profile-limits": profile_limits,
    "refusals": refusals,
    "faults": faults,
    "exit-codes": exit_codes,
    "routes": routes,
    "scopes": scopes,
    "settings": settings_,
    "limits": limits_,
    "events": events_,
    "event-fields": event_fields,
    "core": core,
    "adapters": adapters_,
    "entrypoints": entrypoints_,
}


def filled(page: str) -> str:
    """The page, with a fresh table at each of its marks."""
    return SECTION.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", page)


def on_page_markdown(markdown: str, **_: object) -> str:
    """The hook that MkDocs calls for each page."""
    return filled(markdown)


def main() -> None:
    """Updates the pages in the repository."""
    for path in DOCS.rglob("*.md"):
        page = path.read_text("utf-8")
        if filled(page) != page:
            path.write_text(filled(page), "utf-8")
            print(f"updated {path.relative_to(DOCS)}")


if __name__ == "__main__":
    main()

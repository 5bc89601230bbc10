"""What events contain: the fields of each kind, from which schemas, samples and docs are made.

A kind that is added to `EventKind` needs an entry in `EVENT_SCHEMAS`; tests compare what the use
cases announce with these schemas.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from attrs import evolve, frozen

from commerce_core.activity.events import Event, EventKind
from commerce_core.base.ids import Entropy, Kind, mint

FieldType = Literal["string", "integer", "object", "array"]


@frozen
class EventField:
    """A member of an event's data; `sample` is a typical value.

    `members` are those of an object, or of each object in an array. The sample of a member that
    names an id is made anew for each event.
    """

    name: str
    meaning: str
    sample: Any = None
    type: FieldType = "string"
    optional: bool = False
    nullable: bool = False
    members: tuple["EventField", ...] = ()


@frozen
class EventSchema:
    """When an event of a kind happens, and what its data has."""

    when: str
    fields: tuple[EventField, ...]


def _text(name: str, meaning: str, sample: str, *, nullable: bool = False) -> EventField:
    return EventField(name, meaning, sample, nullable=nullable)


def _number(name: str, meaning: str, sample: int) -> EventField:
    return EventField(name, meaning, sample, "integer")


_SOURCE: Final = (
    _text("feed_id", "Id of the feed.", "feed"),
    _text("source_id", "Id of its source.", "src"),
    _text("partner_id", "Id of its partner.", "ptn"),
)
_FEED: Final = (
    *_SOURCE,
    _text("file_name", "Name of the file.", "products.csv"),
    _text("mode", "`full` or `delta`.", "full"),
    _text("snapshot_at", "The moment whose state the file shows.", "2026-06-17T04:00:00+00:00"),
)
_JOB: Final = _text("job_id", "Id of the job that processed it.", "job")
_GUARDS: Final = EventField(
    "guards",
    "The guards whose limits it exceeds.",
    type="array",
    members=(
        _text("guard", "Name of the guard.", "removals"),
        _text("value", "Its figure for this feed.", "62.00"),
        _text("limit", "The limit that the source sets.", "20"),
    ),
)
_ERROR: Final = EventField(
    "error",
    "Why nothing of it was applied.",
    type="object",
    members=(
        _text("code", "Stable code of the reason.", "no_header"),
        _text("message", "The reason in a sentence.", "The file has no header."),
    ),
)
_FATES: Final = (
    _number("records_read", "Records that were read.", 1200),
    _number("created", "Products that were created.", 14),
    _number("updated", "Products that were changed.", 96),
    _number("restored", "Removed products that came back.", 0),
    _number("unchanged", "Records that changed nothing.", 1083),
    _number("deleted", "Products that their records asked to delete.", 0),
    _number("removed", "Products that the file no longer has.", 3),
    _number("rejected", "Records that were rejected.", 5),
    _number("duplicate", "Records that another of the same file replaced.", 2),
    _number("overtaken", "Records that newer ones had overtaken.", 0),
    _number("warnings", "Warnings about records.", 7),
)
_STANDING: Final = (
    *_SOURCE[1:],
    _text("source_name", "Name of the source.", "main"),
    _text("state", "`fresh`, `late`, `stale` or `unknown`.", "late"),
    _text("last_feed_id", "Id of its last fresh feed.", "feed", nullable=True),
    _text("last_fresh_at", "When that was received.", "2026-06-17T04:00:00+00:00", nullable=True),
)
_PUBLICATION: Final = (
    _number("publication", "Number of the publication.", 318),
    *(evolve(field, nullable=field.name != "partner_id") for field in _SOURCE),
)
_ORDER: Final = (
    _text("order_id", "Id of the order.", "ord"),
    _text("status", "Status of the order; for a partner, of its part.", "created"),
    _number("version", "Number that grows with each change of it.", 1),
    _text("currency", "Currency of the order.", "EUR"),
    EventField(
        "parts",
        "The parts of the partners that it concerns.",
        type="array",
        optional=True,
        members=(
            _text("part_id", "Id of the part.", "part"),
            _text("partner_id", "Id of its partner.", "ptn"),
            _text("status", "Its status.", "created"),
            _number("version", "Number that grows with each change of it.", 1),
        ),
    ),
    EventField(
        "fulfilment_ids", "Ids of the fulfilments that were made.", "ful", "array", optional=True
    ),
    EventField("refund_ids", "Ids of the refunds that were made.", "rfnd", "array", optional=True),
)
_OWED: Final = (
    _text("partner_id", "Id of the partner.", "ptn"),
    _text("currency", "Its currency.", "EUR"),
)
_WEBHOOK: Final = (
    _text("webhook_id", "Id of the webhook.", "hook"),
    _text("description", "What it was described as.", "search index", nullable=True),
    _text("status", "Status of the webhook.", "disabled"),
    _text("reason", "`failing` or `gone`.", "failing", nullable=True),
    _text(
        "failing_since",
        "When the failures began, if nothing has succeeded since.",
        "2026-06-12T04:00:00+00:00",
        nullable=True,
    ),
)

EVENT_SCHEMAS: Final[Mapping[EventKind, EventSchema]] = {
    "feed.received": EventSchema(
        "A file was stored.",
        (
            *_FEED,
            _text("job_id", "Id of its first job.", "job"),
            _number("bytes", "Size of the file.", 318_204),
        ),
    ),
    "feed.held": EventSchema(
        "Guards hold the feed until a person decides.", (*_FEED, _JOB, _GUARDS)
    ),
    "feed.applied": EventSchema(
        "The catalog shows the feed.",
        (
            *_FEED,
            _JOB,
            _text("outcome", "What became of it as a whole.", "applied"),
            *_FATES,
            evolve(_GUARDS, optional=True),
            EventField(
                "not_sellable",
                "Products that it left unsellable, by reason.",
                {"no_price": 2},
                "object",
                optional=True,
            ),
        ),
    ),
    "feed.rejected": EventSchema(
        "A person rejected the feed, or too many of its records were rejected.",
        (*_FEED, _JOB, _ERROR),
    ),
    "feed.superseded": EventSchema(
        "A newer full feed made it unnecessary.",
        (
            *_FEED,
            EventField("by", "Id of that feed.", "feed", optional=True),
            evolve(_JOB, optional=True),
        ),
    ),
    "feed.failed": EventSchema("Nothing of the feed could be applied.", (*_FEED, _JOB, _ERROR)),
    "feed.reverted": EventSchema("What the feed did was undone.", (*_FEED, _JOB)),
    "feed.drifted": EventSchema(
        "The columns of a source's files have changed.",
        (
            *_FEED,
            _JOB,
            EventField(
                "drift",
                "What changed, the first twenty.",
                type="array",
                members=(
                    _text("kind", "What happened to the column.", "appeared"),
                    _text("column", "Its name in the file.", "Colour"),
                    _text("field", "The field that it feeds.", "options", nullable=True),
                ),
            ),
        ),
    ),
    "feed.late": EventSchema(
        "A file of a source is overdue, or its products are too old to sell; once for each streak.",
        (
            *_STANDING,
            _text("overdue_since", "When the streak began.", "2026-06-18T05:00:00+00:00"),
            _text(
                "expected_at",
                "When the file was expected.",
                "2026-06-18T04:00:00+00:00",
                nullable=True,
            ),
            _text(
                "expected_by",
                "From when on it is overdue.",
                "2026-06-18T05:00:00+00:00",
                nullable=True,
            ),
            _text("basis", "`declared`, `schedule` or `learned`.", "learned", nullable=True),
            EventField(
                "products",
                "Active products that it had after its last file.",
                1200,
                "integer",
                nullable=True,
            ),
        ),
    ),
    "feed.recovered": EventSchema(
        "A source that was late no longer is.",
        (
            *_STANDING,
            _text("overdue_since", "When the streak began.", "2026-06-18T05:00:00+00:00"),
        ),
    ),
    "feed.backfilled": EventSchema(
        "A backfill of a source has ended; its feeds are applied by their own jobs.",
        (
            *_SOURCE[1:],
            _text("fetch_id", "Id of the backfill's fetch.", "ftch"),
            _text("outcome", "`fetched`, `unchanged`, `failed` or `cancelled`.", "fetched"),
            _number("feeds", "Files that became feeds.", 30),
            _number("refused", "Files that were refused.", 0),
            _number("waiting", "Files that aren't complete yet.", 0),
            evolve(_ERROR, meaning="Why it failed, or the first refused file.", nullable=True),
        ),
    ),
    "catalog.changed": EventSchema(
        "Products have changed, through a feed or a revert.",
        (
            *_PUBLICATION,
            *(
                field
                for field in _FATES
                if field.name in ("created", "updated", "restored", "removed")
            ),
            _text("changes_cursor", "Where the stream of changes has them.", "WyI4ZjQ..."),
        ),
    ),
    "stock.oversold": EventSchema(
        "A feed reports less stock than open orders have reserved.",
        (
            *_PUBLICATION,
            EventField(
                "products",
                "The first hundred products.",
                type="array",
                members=(
                    _text("product_id", "Id of the product.", "prod"),
                    _text("sku", "Its sku.", "A-1"),
                    _number("quantity", "What the feed reports.", 2),
                    _number("held", "What open orders have reserved.", 3),
                ),
            ),
        ),
    ),
    "order.created": EventSchema("An order was placed.", _ORDER),
    "order.confirmed": EventSchema("An order, or parts of it, was confirmed.", _ORDER),
    "order.fulfilled": EventSchema("Units of an order were fulfilled.", _ORDER),
    "order.fulfilment_cancelled": EventSchema("A fulfilment was cancelled.", _ORDER),
    "order.cancelled": EventSchema(
        "An order, or units of it, was cancelled.",
        (
            *_ORDER,
            EventField("reason", "`expired` if it ended by itself.", "expired", optional=True),
        ),
    ),
    "order.refunded": EventSchema("Money of an order was refunded.", _ORDER),
    "payout.added": EventSchema(
        "A payment to a partner was recorded.",
        (
            _text("entry_id", "Id of its entry in the ledger.", "ent"),
            *_OWED,
            _text("amount", "What was paid.", "120.50"),
            _text("reference", "Reference on the bank statement.", "SEPA 4711"),
        ),
    ),
    "statement.closed": EventSchema(
        "A statement of what a partner is owed was closed.",
        (
            _text("statement_id", "Id of the statement.", "stmt"),
            *_OWED,
            _text("from", "Its beginning.", "2026-10-31T23:00:00+00:00"),
            _text("to", "Its end, exclusive.", "2026-11-30T23:00:00+00:00"),
            _text("closing", "What is owed at its end.", "240.10"),
        ),
    ),
    "webhook.disabled": EventSchema(
        "A webhook was disabled: every try failed for five days, or its receiver answers 410.",
        _WEBHOOK,
    ),
    "webhook.enabled": EventSchema("A disabled webhook was enabled again.", _WEBHOOK),
}
"""Each kind of event; this is what clients may rely on."""

_ID_KINDS: Final[Mapping[str, Kind]] = {
    "ptn": "ptn", "src": "src", "feed": "feed", "job": "job", "prod": "prod", "ord": "ord",
    "hook": "hook", "ent": "ent", "stmt": "stmt", "part": "part", "ful": "ful", "rfnd": "rfnd",
    "ftch": "ftch",
}  # fmt: skip


def json_schema(kind: EventKind) -> dict[str, Any]:
    """The JSON Schema of the data of an event of that kind. Members may be added to it."""
    return {"type": "object", **_object(EVENT_SCHEMAS[kind].fields)}


def sample_event(
    kind: EventKind, event_id: str, at: datetime, partner_id: str | None, entropy: Entropy
) -> Event:
    """A typical event of that kind, with ids that nothing has."""
    ids: dict[str, str] = {"ptn": partner_id} if partner_id else {}

    def id_of(prefix: str) -> str:
        return ids.setdefault(prefix, mint(_ID_KINDS[prefix], at, entropy))

    fields = EVENT_SCHEMAS[kind].fields
    data = {field.name: _sample(field, id_of) for field in fields}
    partners = () if kind.startswith("webhook.") and partner_id is None else (id_of("ptn"),)
    return Event(event_id, kind, at, partners, data)


def _object(fields: Sequence[EventField]) -> dict[str, Any]:
    return {
        "properties": {field.name: _field_schema(field) for field in fields},
        "required": [field.name for field in fields if not field.optional],
    }


def _field_schema(field: EventField) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": [field.type, "null"] if field.nullable else field.type,
        "description": field.meaning,
    }
    if field.type == "array":
        inner = (
            {"type": "object", **_object(field.members)} if field.members else {"type": "string"}
        )
        schema["items"] = inner
    elif field.members:
        schema |= _object(field.members)
    return schema


def _sample(field: EventField, id_of: Callable[[str], str]) -> Any:  # noqa: ANN401 a JSON value
    members = {member.name: _sample(member, id_of) for member in field.members}
    if field.type == "array":
        return [members or id_of(field.sample)]
    if members:
        return members
    return id_of(field.sample) if _names_id(field) else field.sample


def _names_id(field: EventField) -> bool:
    return isinstance(field.sample, str) and field.sample in _ID_KINDS

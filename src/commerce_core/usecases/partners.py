"""Partners: the retailers who send feeds."""

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.base.money import LARGEST_AMOUNT, find_currency
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.feeds.source import MAIN_SOURCE, Source
from commerce_core.partners.partner import Partner, tidy_details
from commerce_core.partners.terms import Cycle, PartnerTerms, Term, terms_changed
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.cells import category_path
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.freshness import FreshPartners, fresh_partners
from commerce_core.usecases.jobs import cancel_all
from commerce_core.usecases.pulls import stop_fetching


@frozen
class Partners:
    """Partners, each with its source `main`."""

    _context: Context

    def add(
        self,
        partner_name: str,
        *,
        currency: str | None = None,
        time_zone: str | None = None,
        contact_email: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Partner:
        """A new active partner with its source `main`; Conflict if the name is taken."""
        details = {
            "partner_name": partner_name,
            "currency": currency,
            "time_zone": time_zone or "UTC",
            "contact_email": contact_email,
        }
        with self._context.writing() as unit:
            request = ("add_partner", details)
            made = self._context.once(
                unit, key, request, lambda: self._new(unit, details), answer=Partner
            )
            return self._fresh(unit, made)

    def _new(self, unit: UnitOfWork, details: dict[str, str | None]) -> Partner:
        now, mint_ = self._context.clock(), self._context.mint
        tidy = tidy_details(details)
        partner = Partner(
            partner_id=mint_("ptn"),
            partner_name=tidy["partner_name"] or "",
            status="active",
            currency=tidy["currency"],
            time_zone=tidy["time_zone"] or "",
            contact_email=tidy["contact_email"],
            created_at=now,
            updated_at=now,
        )
        unit.partners.add(partner)
        main = Source(mint_("src"), partner.partner_id, MAIN_SOURCE, "delta", now)
        unit.sources.add(main)
        self._note(unit, "partner.added", None, partner)
        return partner

    def _note(
        self, unit: ActivityUnit, action: Action, before: Partner | None, after: Partner
    ) -> None:
        partner_id = after.partner_id
        self._context.note(
            unit, action, partner_id, partner_id=partner_id, before=before, after=after
        )

    def get(self, partner: str) -> Partner:
        """The partner with that id or name."""
        with self._context.store.begin() as unit:
            return self._fresh(unit, self._context.partner(unit, partner))

    def _fresh(self, unit: UnitOfWork, partner: Partner) -> Partner:
        return fresh_partners(unit, [partner], self._context.clock())[0]

    def change(self, partner: str, **changes: str | None) -> Partner:
        """Changes `partner_name, status, currency, time_zone` or `contact_email`.

        A partner that becomes offboarded loses its keys, webhooks and alert channels, for good, and
        nothing is fetched from it any more.
        Conflict if the name is taken, or looks like another partner's.
        """
        with self._context.writing() as unit:
            old = unit.partners.lock(self._context.partner(unit, partner).partner_id)
            new = old.changed(self._context.clock(), **changes)
            if new.status == "offboarded":
                cancel_all(self._context, unit, new)
            unit.partners.put(new)
            self._note(unit, "partner.changed", old, new)
            if new.status == "offboarded":
                self._revoke_keys(unit, new)
                self._end_messages(unit, new)
                stop_fetching(self._context, unit, new)
            self._expect(unit, old, new)
            return self._fresh(unit, new)

    def _expect(self, unit: UnitOfWork, old: Partner, new: Partner) -> None:
        """What is expected of its sources is computed again; of an active one from now on."""
        if (old.status, old.time_zone) != (new.status, new.time_zone):
            resumed = new.status == "active" != old.status
            since = self._context.clock() if resumed else None
            unit.standings.rejudge(partner_id=new.partner_id, since=since)

    def terms(self, partner: str) -> PartnerTerms:
        """The partner's terms in their latest version; version 0 if it has none."""
        with self._context.store.begin() as unit:
            id_ = self._context.partner(unit, partner).partner_id
            return unit.terms.of([id_]).get(id_) or PartnerTerms(id_)

    def terms_versions(self, partner: str) -> Sequence[PartnerTerms]:
        """All versions of the partner's terms, newest first."""
        with self._context.store.begin() as unit:
            return unit.terms.versions(self._context.partner(unit, partner).partner_id)

    def set_terms(
        self,
        partner: str,
        terms: Sequence[Term],
        *,
        cycle: Cycle | None = None,
        version: int | None = None,
    ) -> PartnerTerms:
        """Replaces the partner's terms, for orders that are placed from now on.

        A `cycle` that isn't given stays. InvalidInput with every fault; Conflict `terms_changed`
        if `version` is given, and isn't the latest.
        """
        with self._context.writing() as unit:
            id_ = unit.partners.lock(self._context.partner(unit, partner).partner_id).partner_id
            old = unit.terms.of([id_]).get(id_) or PartnerTerms(id_)
            new = PartnerTerms(
                id_, old.version + 1, cycle or old.cycle, [_tidy(term) for term in terms],
                self._context.clock(),
            )  # fmt: skip
            new.check()
            if version not in (None, old.version):
                raise terms_changed(old)
            unit.terms.put(new)
            self._context.note(
                unit, "terms.changed", id_, partner_id=id_, before=_flat(old), after=_flat(new)
            )
            return new

    def _end_messages(self, unit: UnitOfWork, partner: Partner) -> None:
        """Nothing more is sent to it: what a webhook may have had to send is missed."""
        now, note = self._context.clock(), "The partner was offboarded."
        webhooks = unit.webhooks.remove_of(partner.partner_id, now)
        channels = unit.channels.remove_of(partner.partner_id, now)
        ended: dict[Action, Sequence[str]] = {
            "webhook.removed": webhooks,
            "channel.removed": channels,
        }
        for action, removed in ended.items():
            if removed:
                self._context.note(unit, action, *removed, partner_id=partner.partner_id, note=note)

    def _revoke_keys(self, unit: UnitOfWork, partner: Partner) -> None:
        revoked = unit.keys.revoke_of(partner.partner_id, self._context.clock())
        if revoked:
            note = "The partner was offboarded."
            self._context.note(
                unit, "key.revoked", *revoked, partner_id=partner.partner_id, note=note
            )

    def list(self) -> Iterator[Partner]:
        """All visible partners, oldest first."""
        return self._context.walk(self._listing, self._context.principal.partner_id)

    def _listing(self, unit: UnitOfWork) -> FreshPartners:
        return FreshPartners(unit.partners, unit, self._context.clock())

    def page(
        self, cursor: str | None = None, limit: int = DEFAULT_LIMIT, *, count: bool = False
    ) -> Listed[Partner]:
        """A page of the partners, oldest first."""
        own = self._context.principal.partner_id
        with self._context.store.read_only() as unit:
            return self._context.listed(self._listing(unit), own, cursor, limit, count=count)


def _tidy(term: Term) -> Term:
    """A term with its category as products have it, and a valid fee with all its decimals."""
    money = find_currency(term.currency or "")
    valid = term.fee.is_finite() and abs(term.fee) <= LARGEST_AMOUNT
    return evolve(
        term,
        category=term.category and (category_path(term.category) or term.category),
        fee=money.round(term.fee) if money and valid and money.is_exact(term.fee) else term.fee,
    )


@frozen
class _FlatTerms:
    """Terms as the audit shows them."""

    version: int
    cycle: str
    terms: tuple[str, ...]


def _flat(terms: PartnerTerms) -> _FlatTerms:
    return _FlatTerms(terms.version, terms.cycle, tuple(map(_in_words, terms.terms)))


def _in_words(term: Term) -> str:
    whose = term.sku or term.category or "everything"
    fee = f" and {term.fee:f} {term.currency}" if term.fee else ""
    since = f" from {term.since.isoformat()}" if term.since else ""
    until = f" to {term.until.isoformat()}" if term.until else ""
    return f"{term.commission_percent:f} %{fee} of {whose}{since}{until}"

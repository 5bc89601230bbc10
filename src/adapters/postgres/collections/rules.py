"""Price rules in PostgreSQL: a row per version, found by the keys that a basket has."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, LiteralString

import psycopg
from attrs import frozen
from psycopg.types.json import Jsonb

from adapters.postgres.collections.listing import Condition, ListById, count
from adapters.postgres.connection.rows import Connection, digits, fetch, fetch_one, found, rows_as
from commerce_core.base.paging import Page, Position
from commerce_core.ports.rules import BasketReach, Revision, Taking, rule_changed, rule_name_taken
from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.index import reach_of
from commerce_core.pricing.lines import canonical_code
from commerce_core.pricing.priced import Usage
from commerce_core.pricing.public_price import RuleSpell
from commerce_core.pricing.rules import PriceRule, Rule, RuleQuery, in_order

_MOST_REMEMBERED: Final = 5_000
"""Rules that a process remembers: those that were read last."""
_LONGEST_REMEMBERED: Final = 4_000
"""Characters of the written form of a rule that is remembered."""


def _rule(row: dict[str, Any]) -> PriceRule:
    return PriceRule(
        rule_id=row["rule_id"],
        version=row["version"],
        status=row["status"],
        rule=_read(row["form"]),
        created_at=row["created_at"],
        updated_at=row["since"],
    )


def _read(form: str) -> Rule:
    """A rule in its written form, as text; short ones are remembered, as reading takes long."""
    return _remembered(form) if len(form) <= _LONGEST_REMEMBERED else read_rule(json.loads(form))


@lru_cache(_MOST_REMEMBERED)
def _remembered(form: str) -> Rule:
    return read_rule(json.loads(form))


_RULES: Final = rows_as(_rule)
_SPELLS: Final = rows_as(lambda row: RuleSpell(_rule(row), row["until"]))
_SELECT: Final = """
    SELECT rule_id, version, status, form::text, created_at, since
    FROM price_rules"""
_LIST: Final = ListById(_RULES, _SELECT, "rule_id", attrgetter("rule_id"), newest_first=False)

_COUNTERS: Final = ("rule_ids", "customers", "currencies")
"""What a counter is found by."""
_TAKE: Final = """
    UPDATE price_rule_counters AS counter
    SET uses = counter.uses + 1, spent = counter.spent + taking.amount
    FROM unnest(%(rule_ids)s::uuid[], %(customers)s::text[], %(currencies)s::text[],
                %(amounts)s::numeric[], %(most)s::bigint[], %(budgets)s::numeric[])
         AS taking (rule_id, customer, currency, amount, most, budget)
    WHERE counter.rule_id = taking.rule_id AND counter.customer = taking.customer
      AND counter.currency = taking.currency
      AND (taking.most IS NULL OR counter.uses < taking.most)
      AND (taking.budget IS NULL OR counter.spent + taking.amount <= taking.budget)
    RETURNING counter.rule_id, counter.customer, counter.currency"""


@frozen
class Rules:
    """Implements `commerce_core.ports.rules.Rules`."""

    _db: Connection

    def page(self, query: RuleQuery, after: Position | None, limit: int) -> Page[PriceRule]:
        """Pages of rules."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: RuleQuery) -> int:
        """How many rules fit."""
        return count(self._db, "price_rules", _conditions(query))

    def add(self, rule: PriceRule) -> None:
        """Keeps the first version."""
        self._insert(rule)

    def put(self, rule: PriceRule) -> None:
        """Keeps the next version, and ends the one before."""
        ended = self._db.execute(
            """
            UPDATE price_rules
            SET until = %s
            WHERE rule_id = %s AND version = %s AND until IS NULL
            """,
            [rule.updated_at, digits(rule.rule_id), rule.version - 1],
        )
        if not ended.rowcount:
            self.get(rule.rule_id)
            raise rule_changed(rule.rule_id)
        self._insert(rule)

    def _insert(self, rule: PriceRule) -> None:
        try:
            with self._db.transaction():
                self._db.execute(
                    """
                    INSERT INTO price_rules (rule_id, version, name, status, group_name, form, keys,
                                             basket_keys, codes, ends, created_at, since)
                    VALUES (%(rule_id)s, %(version)s, %(name)s, %(status)s, %(group_name)s,
                            %(form)s, %(keys)s, %(basket_keys)s, %(codes)s, %(ends)s,
                            %(created_at)s, %(since)s)
                    """,
                    _params(rule),
                )
        except psycopg.errors.UniqueViolation as error:
            raise rule_name_taken(rule) from error

    def get(self, rule_id: str) -> PriceRule:
        """The current version."""
        query = f"{_SELECT} WHERE rule_id = %s AND until IS NULL"
        return found(fetch_one(self._db, _RULES, query, [digits(rule_id)]), "price rule", rule_id)

    def find(self, name: str) -> PriceRule | None:
        """The current version of the rule with that name."""
        query = f"{_SELECT} WHERE name = %s AND until IS NULL AND status <> 'archived'"
        return fetch_one(self._db, _RULES, query, [name])

    def versions(self, rule_id: str) -> Sequence[PriceRule]:
        """All versions, the newest first."""
        query = f"{_SELECT} WHERE rule_id = %s ORDER BY version DESC"
        rules = fetch(self._db, _RULES, query, [digits(rule_id)])
        found(rules[0] if rules else None, "price rule", rule_id)
        return tuple(rules)

    def in_group(self, name: str) -> Sequence[PriceRule]:
        """The rules in that group."""
        query = f"""{_SELECT}
            WHERE group_name = %s AND until IS NULL AND status <> 'archived'
            ORDER BY rule_id"""
        return fetch(self._db, _RULES, query, [name])

    def matching(
        self, reach: BasketReach, at: datetime, as_of: datetime | None = None
    ) -> Sequence[PriceRule]:
        """The active rules that may match, found by two indexes."""
        current: LiteralString = (
            "until IS NULL"
            if as_of is None
            else "since <= %(as_of)s AND (until IS NULL OR until > %(as_of)s)"
        )
        possible: LiteralString = f"""
              AND status = 'active' AND (ends IS NULL OR ends > %(at)s)
              AND (basket_keys IS NULL OR basket_keys && %(basket_keys)s::text[])
              AND {current}"""
        query: LiteralString = f"""
            {_SELECT} WHERE keys && %(keys)s::text[] {possible}
            UNION ALL
            {_SELECT} WHERE keys IS NULL {possible}"""
        params = {
            "keys": list(reach.keys),
            "basket_keys": list(reach.basket_keys),
            "at": at,
            "as_of": as_of,
        }
        return in_order(fetch(self._db, _RULES, query, params))

    def spells(self, keys: Collection[str] | None, since: datetime) -> Sequence[RuleSpell]:
        """The versions that were active since then."""
        query = """
            SELECT rule_id, version, status, form::text, created_at, since, until
            FROM price_rules
            WHERE status = 'active' AND (until IS NULL OR until > %(since)s)
              AND (%(keys)s::text[] IS NULL OR (
                  (keys IS NULL OR keys && %(keys)s::text[])
                  AND (basket_keys IS NULL OR basket_keys && %(keys)s::text[])
                  AND (ends IS NULL OR ends > %(since)s)
              ))"""
        params = {"keys": None if keys is None else list(keys), "since": since}
        return fetch(self._db, _SPELLS, query, params)

    def revision(self, since: datetime) -> Revision:
        """How many versions there are since then, read along their times."""
        row = self._db.execute(
            """
            SELECT (SELECT count(*) FROM price_rules WHERE since >= %(since)s),
                   (SELECT count(*) FROM price_list_versions WHERE published_at >= %(since)s),
                   (SELECT coalesce(max(number), 0) FROM forgotten_history)
            """,
            {"since": since},
        ).fetchone()
        return Revision(since, *(row or (0, 0, 0)))

    def known_codes(self, codes: Collection[str]) -> frozenset[str]:
        """Those of the codes that an active rule names."""
        rows = self._db.execute(
            """
            SELECT wanted.code
            FROM unnest(%s::text[]) AS wanted (code)
            WHERE EXISTS (
                SELECT FROM price_rules
                WHERE codes && ARRAY[wanted.code] AND status = 'active' AND until IS NULL
            )
            """,
            [list(codes)],
        ).fetchall()
        return frozenset(code for (code,) in rows)

    def usage(
        self,
        rule_ids: Collection[str],
        customer: str | None,
        currency: str,
        as_of: datetime | None = None,
    ) -> Mapping[str, Usage]:
        """What has been used: from the counters now, from the orders' own rows as of a moment."""
        if not rule_ids:
            return {}
        now: LiteralString = """
            SELECT rule_id, coalesce(max(uses) FILTER (WHERE customer = '' AND currency = ''), 0),
                   coalesce(max(spent) FILTER (WHERE currency <> ''), 0),
                   coalesce(max(uses) FILTER (WHERE customer <> ''), 0)
            FROM price_rule_counters
            WHERE rule_id = ANY(%(rule_ids)s::uuid[]) AND customer IN ('', %(customer)s)
              AND currency IN ('', %(currency)s)
            GROUP BY rule_id"""
        then: LiteralString = """
            SELECT rule_id, count(*),
                   coalesce(sum(amount) FILTER (WHERE currency = %(currency)s), 0),
                   count(*) FILTER (WHERE customer = %(customer)s AND customer <> '')
            FROM price_rule_uses
            WHERE rule_id = ANY(%(rule_ids)s::uuid[]) AND taken_at <= %(as_of)s
              AND (given_back_at IS NULL OR given_back_at > %(as_of)s)
            GROUP BY rule_id"""
        params = {
            "rule_ids": [digits(rule_id) for rule_id in rule_ids],
            "customer": customer or "",
            "currency": currency,
            "as_of": as_of,
        }
        rows = self._db.execute(now if as_of is None else then, params).fetchall()
        return {f"rule_{rule_id.hex}": Usage(*figures) for rule_id, *figures in rows}

    def take(
        self, order_id: str, customer: str | None, takings: Sequence[Taking], at: datetime
    ) -> frozenset[str]:
        """Takes from all, or from none."""
        if not takings:
            return frozenset()
        params = _taking_params(takings, customer)
        self._lock_counters(params)
        short: set[str] = set()
        with self._db.transaction():
            rows = self._db.execute(_TAKE, params).fetchall()
            taken = {(rule_id.hex, *which) for rule_id, *which in rows}
            wanted = zip(*(params[name] for name in _COUNTERS), strict=True)
            short = {f"rule_{counter[0]}" for counter in wanted if counter not in taken}
            if short:
                raise psycopg.Rollback
        if not short:
            self._note_uses(order_id, customer, takings, at)
        return frozenset(short)

    def _lock_counters(self, params: Mapping[str, Any]) -> None:
        """Makes and locks the counters in one order, so that no two orders wait for each other."""
        self._db.execute(
            """
            INSERT INTO price_rule_counters (rule_id, customer, currency, uses, spent)
            SELECT rule_id, customer, currency, 0, 0
            FROM unnest(%(rule_ids)s::uuid[], %(customers)s::text[], %(currencies)s::text[])
                 AS counter (rule_id, customer, currency)
            ORDER BY rule_id, customer, currency
            ON CONFLICT (rule_id, customer, currency) DO NOTHING
            """,
            params,
        )
        self._db.execute(
            """
            SELECT FROM price_rule_counters
            WHERE (rule_id, customer, currency) IN (
                SELECT * FROM unnest(
                    %(rule_ids)s::uuid[], %(customers)s::text[], %(currencies)s::text[]
                )
            )
            ORDER BY rule_id, customer, currency
            FOR NO KEY UPDATE
            """,
            params,
        )

    def _note_uses(
        self, order_id: str, customer: str | None, takings: Sequence[Taking], at: datetime
    ) -> None:
        self._db.execute(
            """
            INSERT INTO price_rule_uses (order_id, rule_id, customer, amount, currency, taken_at)
            SELECT %s, rule_id, %s, amount, currency, %s
            FROM unnest(%s::uuid[], %s::numeric[], %s::text[]) AS taking (rule_id, amount, currency)
            """,
            [
                digits(order_id),
                customer or "",
                at,
                [digits(taking.rule_id) for taking in takings],
                [taking.amount for taking in takings],
                [taking.currency for taking in takings],
            ],
        )

    def give_back(self, order_id: str, at: datetime) -> None:
        """Gives back what an order took, by counters that are locked in the usual order."""
        given = self._db.execute(
            """
            UPDATE price_rule_uses
            SET given_back_at = %s
            WHERE order_id = %s AND given_back_at IS NULL
            RETURNING rule_id, customer, amount, currency
            """,
            [at, digits(order_id)],
        ).fetchall()
        if not given:
            return
        counters = {
            (rule_id.hex, whose, unit, amount)
            for rule_id, customer, amount, currency in given
            for whose, unit in (("", ""), ("", currency), (customer, ""))
        }
        params = _columns((*_COUNTERS, "amounts"), sorted(counters))
        self._lock_counters(params)
        self._db.execute(
            """
            UPDATE price_rule_counters AS counter
            SET uses = counter.uses - 1, spent = counter.spent - given.amount
            FROM unnest(%(rule_ids)s::uuid[], %(customers)s::text[], %(currencies)s::text[],
                        %(amounts)s::numeric[]) AS given (rule_id, customer, currency, amount)
            WHERE counter.rule_id = given.rule_id AND counter.customer = given.customer
              AND counter.currency = given.currency AND counter.uses > 0
            """,
            params,
        )


def _taking_params(takings: Sequence[Taking], customer: str | None) -> dict[str, list[Any]]:
    """A row that counts all uses, one for the money in a currency, one for a customer's uses."""
    rows = [
        (digits(t.rule_id), whose, currency, t.amount, most, budget)
        for t in takings
        for whose, currency, most, budget in (
            ("", "", t.limits.most_uses, None),
            ("", t.currency, None, t.limits.budget),
            *([(customer, "", t.limits.per_customer, None)] if customer else []),
        )
    ]
    return _columns((*_COUNTERS, "amounts", "most", "budgets"), rows)


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _params(rule: PriceRule) -> dict[str, Any]:
    reach = reach_of(rule.rule)
    return {
        "rule_id": digits(rule.rule_id),
        "version": rule.version,
        "name": rule.rule.name,
        "status": rule.status,
        "group_name": rule.rule.group.name if rule.rule.group else None,
        "form": Jsonb(rule_form(rule.rule)),
        "keys": _sorted(reach.keys),
        "basket_keys": _sorted(reach.basket_keys),
        "codes": sorted(map(canonical_code, rule.rule.codes)),
        "ends": reach.ends,
        "created_at": rule.created_at,
        "since": rule.updated_at,
    }


def _sorted(keys: frozenset[str] | None) -> list[str] | None:
    return None if keys is None else sorted(keys)


def _conditions(query: RuleQuery) -> list[Condition]:
    status: Condition = (
        ("status <> 'archived'", []) if query.status is None else ("status = %s", [query.status])
    )
    return [("until IS NULL", []), status]

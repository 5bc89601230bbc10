"""Changing price rules within one unit of work: what has to hold, and what is recorded."""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput, NotFound, Stale
from commerce_core.base.ids import looks_like, parse
from commerce_core.base.text import given_name
from commerce_core.ports.rules import rule_changed
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.contradictions import contradictions
from commerce_core.pricing.form import form_difference, read_rule, rule_form
from commerce_core.pricing.references import Noun, references, with_references
from commerce_core.pricing.rules import PriceRule, Rule, RuleStatus, group_conflict
from commerce_core.usecases.context import Context
from commerce_core.usecases.price_lists import found_list

RuleForm = Mapping[str, Any]
"""A rule as it is written in files and in JSON (`pricing.form`)."""


@frozen
class RuleChange:
    """What saving a rule changes: each member that differs, as it was and as it becomes.

    `before` is the rule's version until then; None for a new rule. `after` is None if nothing
    changes.
    """

    name: str
    before: PriceRule | None
    after: PriceRule | None
    difference: Mapping[str, tuple[Any, Any]]


@frozen
class RuleBook:
    """The rules of one unit of work, for changing them."""

    _context: Context
    _unit: UnitOfWork

    def add(self, rule: Rule, status: RuleStatus, together: Collection[str] = ()) -> PriceRule:
        """A new rule."""
        now = self._context.clock()
        made = PriceRule(
            rule_id=self._context.mint("rule"),
            version=1,
            status=status,
            rule=self.checked(_seen(rule, None), together),
            created_at=now,
            updated_at=now,
        )
        self._unit.rules.add(made)
        self._note(None, made)
        return made

    def change(
        self,
        before: PriceRule,
        rule: Rule | None,
        status: RuleStatus | None,
        together: Collection[str] = (),
    ) -> PriceRule:
        """The next version of a rule; the same one if nothing changes."""
        if before.status == "archived" and (rule is not None or status != "archived"):
            raise Conflict(
                f"The price rule {before.rule_id} is archived.",
                "Add a new one; its name is free.",
                code="rule_archived",
            )
        text = before.rule
        if rule is not None:
            names = {before.rule.name, *together}
            text = self.checked(_seen(rule, before.rule), names)
        after = evolve(before, rule=text, status=status or before.status)
        if after == before:
            return before
        now = self._context.clock()
        after = evolve(after, version=before.version + 1, updated_at=now)
        self._unit.rules.put(after)
        self._note(before, after)
        return after

    def save(self, rule: Rule, together: Collection[str]) -> RuleChange:
        """Adds a rule, or makes it the next version of the rule with its name.

        `together` are the names of the rules that are saved with it, and agree with it.
        """
        before = self._unit.rules.find(rule.name)
        after = (
            self.change(before, rule, None, together)
            if before
            else self.add(rule, "active", together)
        )
        forms = (rule_form(before.rule) if before else {}, rule_form(after.rule))
        changed = None if after == before else after
        return RuleChange(rule.name, before, changed, form_difference(*forms))

    def current(
        self, rule_id: str, version: int | None = None, seen: int | None = None
    ) -> PriceRule:
        """The current version of a rule; Conflict if it isn't the one that is expected.

        Stale if it isn't the one that the caller has `seen`.
        """
        found = self._unit.rules.get(parse("rule", rule_id))
        if seen is not None and seen != found.version:
            raise Stale(
                f"The price rule {found.rule_id} is at version {found.version}, not {seen}.",
                "Look at it again, and repeat your change if it is still right.",
            )
        if version is not None and version != found.version:
            raise rule_changed(found.rule_id)
        return found

    def checked(self, rule: Rule, besides: Collection[str], *, drafted: bool = False) -> Rule:
        """The rule with ids for names; InvalidInput for what doesn't exist, or doesn't agree.

        It needn't agree with the present versions of the rules with the names `besides`.
        """
        known: dict[tuple[Noun, str], str] = {}
        faults: list[Fault] = []
        if looks_like("rule", rule.name):
            detail = "Rules are looked up by id or name, so a name can't look like an id."
            faults.append(Fault("/name", "bad_name", detail))
        faults += contradictions(rule)
        for reference in references(rule):
            found = self._find(reference.noun, reference.text)
            if found is None:
                named = f"{reference.noun} {reference.text[:80]!r}"
                detail = f"There is no {named}; correct it, or add the {reference.noun} first."
                code = f"unknown_{reference.noun.replace(' ', '_')}"
                faults.append(Fault(reference.pointer, code, detail))
            else:
                known[reference.noun, reference.text] = found
        if rule.group is not None and not drafted:
            others = self._unit.rules.in_group(rule.group.name)
            staying = (other.rule for other in others if other.rule.name not in besides)
            conflict = group_conflict(rule, staying)
            faults += [conflict] if conflict else []
        if faults:
            raise InvalidInput("The price rule isn't valid.", faults=faults, code="bad_price_rule")
        return with_references(rule, lambda noun, text: known[noun, text])

    def _find(self, noun: Noun, text: str) -> str | None:
        """The id of what a rule refers to; None if there is no such thing."""
        try:
            if noun == "price list":
                return found_list(self._unit, text).list_id
            if noun == "source":
                return self._unit.sources.get(parse("src", text)).source_id
            return self._context.partner(self._unit, text).partner_id
        except NotFound:
            return None

    def _note(self, before: PriceRule | None, after: PriceRule) -> None:
        action = "rule.changed" if before else "rule.added"
        states = (_Audited.of(before) if before else None, _Audited.of(after))
        self._context.note(self._unit, action, after.rule_id, before=states[0], after=states[1])


def _seen(rule: Rule, before: Rule | None) -> Rule:
    """The rule; InvalidInput if a new name in it has characters that aren't seen."""
    detail = "The name has characters that aren't seen; type it anew."
    faults: list[Fault] = []
    if rule.name not in (before and before.name, given_name(rule.name)):
        faults.append(Fault("/name", "bad_name", detail))
    group = rule.group
    if group and group != (before and before.group) and group.name != given_name(group.name):
        faults.append(Fault("/group/name", "bad_name", detail))
    if faults:
        raise InvalidInput("The price rule isn't valid.", faults=faults, code="bad_price_rule")
    return rule


@frozen
class _Audited:
    """What the audit log shows of a rule."""

    name: str
    version: int
    status: RuleStatus
    rule: RuleForm

    @classmethod
    def of(cls, rule: PriceRule) -> "_Audited":
        return cls(rule.rule.name, rule.version, rule.status, rule_form(rule.rule))


def as_rule(rule: Rule | RuleForm) -> Rule:
    """The rule, read if it is a form; InvalidInput lists every fault."""
    return rule if isinstance(rule, Rule) else read_rule(rule)


@contextmanager
def faults_at(pointer: str) -> Generator[None]:
    """Puts a JSON pointer before those of the faults of what is read meanwhile."""
    try:
        yield
    except InvalidInput as error:
        faults = [evolve(fault, pointer=pointer + fault.pointer) for fault in error.faults]
        raise InvalidInput(error.detail, faults=faults, code=error.code) from error

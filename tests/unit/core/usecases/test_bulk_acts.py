"""One act on a whole group: exactly the members that were confirmed, with a result for each."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds import bulk_act
from commerce_core.feeds.bulk_act import BulkAct, FeedGroup
from commerce_core.partners.access import Scope
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

HEADER = "sku,product_name,price,currency,quantity\n"
HTML = FeedGroup("process_again", code="html")
HELD = FeedGroup("approve")


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        for name in ("Acme", "Birch"):
            commerce.partners.add(name, currency="EUR")
        yield commerce


def load(commerce: Commerce, content: str, partner: str = "Acme") -> str:
    file = io.BytesIO(content.encode())
    return commerce.feeds.load(file, partner=partner, mode="full").feed_id


def html(commerce: Commerce, partner: str = "Acme") -> str:
    return load(commerce, "<html><body>Log in</body></html>", partner)


def held(commerce: Commerce, partner: str = "Acme") -> str:
    """A feed that would remove most of its partner's products."""
    for count in (120, 12):
        rows = (f"A-{n},Lamp {n},10,EUR,5\n" for n in range(count))
        feed_id = load(commerce, HEADER + "".join(rows), partner)
    assert commerce.feeds.get(feed_id).status == "held"
    return feed_id


def start(commerce: Commerce, group: FeedGroup, **more: Any) -> BulkAct:  # noqa: ANN401 - of start
    plan = commerce.bulk_acts.plan(group)
    return commerce.bulk_acts.start(group, count=plan.count, digest=plan.digest, **more)


def work(commerce: Commerce) -> None:
    while isinstance(task := commerce.queue.claim("bulk_acts"), Task):
        commerce.queue.perform(task)


def results(commerce: Commerce, act: BulkAct) -> dict[str, str]:
    return {item.feed_id: item.status for item in commerce.bulk_acts.items(act.bulk_id)}


def acting(commerce: Commerce, partner: str, *scopes: Scope) -> Commerce:
    """The platform as that partner's key sees it."""
    issued = commerce.keys.add(partner=partner, scopes=[*map(str, scopes)])
    return Commerce(commerce.context.acting_as(issued.key.principal()))


def test_failures_of_any_number_of_feeds_are_a_row_for_each_cause(commerce: Commerce):
    for _ in range(3):
        html(commerce)
    html(commerce, "Birch")
    load(commerce, "name\nLamp\n")
    most, other = commerce.bulk_acts.causes()
    assert (most.code, most.count, most.partners) == ("html", 4, 2)
    assert other.count == 1
    (own,) = commerce.bulk_acts.causes(partner="Birch")
    assert (own.code, own.count) == ("html", 1)


def test_an_act_concerns_exactly_the_members_of_its_group(commerce: Commerce):
    wanted = [html(commerce), html(commerce, "Birch")]
    other = load(commerce, "name\nLamp\n")
    act = start(commerce, HTML)
    work(commerce)
    after = commerce.bulk_acts.get(act.bulk_id)
    assert (after.status, after.total, after.done, after.refused) == ("completed", 2, 2, 0)
    assert results(commerce, act) == dict.fromkeys(wanted, "done")
    for item in commerce.bulk_acts.items(act.bulk_id):
        assert commerce.jobs.get(str(item.job_id)).feed_id == item.feed_id
        assert commerce.jobs.get(str(item.job_id)).released
    assert commerce.feeds.get(other).latest_job is not None
    assert [cause.code for cause in commerce.bulk_acts.causes()] != ["html"]


def test_a_plan_changes_nothing(commerce: Commerce):
    feeds = [html(commerce) for _ in range(7)]
    plan = commerce.bulk_acts.plan(HTML)
    assert (plan.count, plan.samples) == (7, tuple(feeds[:5]))
    assert list(commerce.bulk_acts.list()) == []


def test_another_number_is_refused_with_the_number_there_is(commerce: Commerce):
    html(commerce)
    plan = commerce.bulk_acts.plan(HTML)
    html(commerce)
    with pytest.raises(Conflict) as refused:
        commerce.bulk_acts.start(HTML, count=plan.count, digest=plan.digest)
    assert (refused.value.code, refused.value.shown["count"]) == ("group_changed", 2)
    assert commerce.bulk_acts.start(HTML, count=2).total == 2


def test_other_members_of_the_same_number_are_refused(commerce: Commerce):
    first = html(commerce)
    plan = commerce.bulk_acts.plan(HTML)
    commerce.jobs.start(first)
    html(commerce)
    with pytest.raises(Conflict, match="other feeds"):
        commerce.bulk_acts.start(HTML, count=plan.count, digest=plan.digest)


def test_held_feeds_are_approved_each_with_its_result(commerce: Commerce):
    """One that was decided meanwhile is refused, and the others go on."""
    first, second = held(commerce), held(commerce, "Birch")
    act = start(commerce, HELD, without=("removals",), note="Season's end")
    commerce.plans.reject(first)
    work(commerce)
    refused, done = commerce.bulk_acts.items(act.bulk_id)
    assert (refused.status, refused.code) == ("refused", "feed_not_held")
    assert (done.feed_id, done.status) == (second, "done")
    assert commerce.feeds.get(second).status == "applied"
    job = commerce.jobs.get(str(done.job_id))
    assert job.decision
    assert (job.decision.note, job.decision.without) == ("Season's end", ("removals",))


def test_held_feeds_are_rejected(commerce: Commerce):
    feed_id = held(commerce)
    start(commerce, FeedGroup("reject"), note="Half of it is missing")
    work(commerce)
    assert commerce.feeds.get(feed_id).status == "rejected"


def test_an_attempt_that_ended_before_its_record_is_repeated_once(
    commerce: Commerce, monkeypatch: pytest.MonkeyPatch
):
    """What was done isn't done twice, and isn't reported as refused."""
    html(commerce)
    held(commerce, "Birch")
    again, approved = start(commerce, HTML), start(commerce, HELD)
    monkeypatch.setattr("commerce_core.usecases.bulk_acts.BulkActs._record", _crash)
    for act in (again, approved):
        with pytest.raises(RuntimeError):
            commerce.bulk_acts.run(act.bulk_id)
    monkeypatch.undo()
    for act in (again, approved):
        assert commerce.bulk_acts.run(act.bulk_id) == 1
        assert commerce.bulk_acts.get(act.bulk_id).done == 1
    (item,) = commerce.bulk_acts.items(again.bulk_id)
    jobs = [job for job in commerce.jobs.list() if job.feed_id == item.feed_id]
    assert len(jobs) == 2


def _crash(*_: object) -> None:
    raise RuntimeError("the worker was killed")


def test_the_rest_is_left_alone_once_it_is_cancelled(commerce: Commerce):
    feed_id = html(commerce)
    act = start(commerce, HTML)
    assert commerce.bulk_acts.cancel(act.bulk_id).status == "cancelled"
    work(commerce)
    assert results(commerce, act) == {feed_id: "waiting"}
    with pytest.raises(Conflict, match="is cancelled"):
        commerce.bulk_acts.cancel(act.bulk_id)


def test_it_ends_when_the_key_of_its_actor_is_revoked(commerce: Commerce):
    html(commerce)
    issued = commerce.keys.add()
    other = Commerce(commerce.context.acting_as(issued.key.principal()))
    act = start(other, HTML)
    commerce.keys.revoke(issued.key.key_id)
    work(commerce)
    after = commerce.bulk_acts.get(act.bulk_id)
    assert (after.status, after.done) == ("failed", 0)
    assert "revoked" in str(after.problem)


def test_a_task_that_is_given_up_ends_it(commerce: Commerce):
    html(commerce)
    act = start(commerce, HTML)
    commerce.bulk_acts.give_up(act.bulk_id)
    assert commerce.bulk_acts.get(act.bulk_id).status == "failed"


def test_a_partner_acts_on_its_own_and_sees_nothing_of_others(commerce: Commerce):
    html(commerce)
    own = html(commerce, "Birch")
    everything = start(commerce, HTML)
    birch = acting(commerce, "Birch", "feeds:read", "feeds:write")
    assert [cause.count for cause in birch.bulk_acts.causes()] == [1]
    act = start(birch, HTML)
    assert list(results(birch, act)) == [own]
    with pytest.raises(NotFound):
        birch.bulk_acts.get(everything.bulk_id)
    with pytest.raises(NotFound):
        birch.bulk_acts.plan(evolve(HTML, partner_id=commerce.partners.get("Acme").partner_id))
    assert [a.bulk_id for a in birch.bulk_acts.list()] == [act.bulk_id]


def test_deciding_needs_its_scope(commerce: Commerce):
    held(commerce, "Birch")
    birch = acting(commerce, "Birch", "feeds:read", "feeds:write")
    for group in (HELD, FeedGroup("reject")):
        with pytest.raises(Forbidden):
            birch.bulk_acts.plan(group)
        with pytest.raises(Forbidden):
            birch.bulk_acts.start(group, count=1)


def test_the_same_key_starts_one_act(commerce: Commerce):
    html(commerce)
    acts = {start(commerce, HTML, key="k").bulk_id for _ in range(2)}
    assert len(acts) == 1


@pytest.mark.parametrize(
    ("group", "more"),
    [
        (FeedGroup("approve", code="html"), {}),
        (HTML, {"without": ("removals",)}),
        (HTML, {"note": "x"}),
        (HELD, {"without": ("prices",)}),
        (HELD, {"note": "x" * 1_001}),
    ],
)
def test_what_doesnt_go_together_is_refused(
    commerce: Commerce, group: FeedGroup, more: dict[str, Any]
):
    with pytest.raises(InvalidInput, match="isn't valid"):
        commerce.bulk_acts.start(group, count=1, **more)


def test_a_note_has_at_most_a_thousand_characters(commerce: Commerce):
    held(commerce)
    assert start(commerce, HELD, note="x" * 1_000).note == "x" * 1_000


def test_a_group_has_one_to_ten_thousand_members(commerce: Commerce):
    with pytest.raises(InvalidInput) as none:
        commerce.bulk_acts.plan(HTML)
    assert none.value.code == "no_members"
    bulk_act.check_members(1)
    bulk_act.check_members(10_000)
    with pytest.raises(InvalidInput) as many:
        bulk_act.check_members(10_001)
    assert many.value.code == "too_many_members"


def test_at_most_twenty_arent_finished(commerce: Commerce):
    html(commerce)
    acts = [commerce.bulk_acts.start(HTML, count=1) for _ in range(20)]
    with pytest.raises(Conflict) as refused:
        commerce.bulk_acts.start(HTML, count=1)
    assert refused.value.code == "too_many_bulk_acts"
    commerce.bulk_acts.cancel(acts[0].bulk_id)
    commerce.bulk_acts.start(HTML, count=1)


def test_old_ones_are_forgotten(commerce: Commerce):
    html(commerce)
    old = start(commerce, HTML)
    work(commerce)
    html(commerce)
    later = commerce.context.clock() + timedelta(days=91)
    with_time = Commerce(evolve(commerce.context, clock=lambda: later))
    act = start(with_time, HTML)
    with_time.bulk_acts.run(act.bulk_id)
    with pytest.raises(NotFound):
        commerce.bulk_acts.get(old.bulk_id)


def test_it_is_in_the_audit_with_who_confirmed_it(commerce: Commerce):
    html(commerce)
    principal = commerce.context.principal.known_as("Ada")
    ada = Commerce(commerce.context.acting_as(principal))
    act = start(ada, HTML)
    entry = next(iter(commerce.audit.list()))
    assert (entry.actor, entry.action, entry.subjects) == (
        "Ada",
        "bulk_act.started",
        (act.bulk_id,),
    )

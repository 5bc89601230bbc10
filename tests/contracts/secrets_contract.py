"""What the collection of sealed secrets promises."""

import pytest
from attrs import evolve

from commerce_core.feeds.place import place_of
from commerce_core.feeds.pull import Pull
from commerce_core.ports.secrets import SECRET_KINDS, Sealed, SecretKind
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.webhooks.subscription import Webhook, WebhookSecret
from tests.contracts import samples
from tests.contracts.alerts_contract import channel
from tests.contracts.samples import MINUTE, T0


def kept(store: Store, kind: SecretKind, *texts: str) -> str:
    """Keeps an owner with these sealed texts, and returns its id."""
    with store.begin() as unit:
        return _add(unit, kind, *texts)


def _add(unit: UnitOfWork, kind: SecretKind, *texts: str) -> str:
    first = texts[0] if texts else None
    match kind:
        case "channel":
            made = channel(recipients=(), url="https://example.com/", sealed=first)
            unit.channels.add(made)
            return made.channel_id
        case "pull":
            source_id = samples.new_id("src")
            place = place_of("https://example.com/feed.csv")
            unit.pulls.put(Pull(source_id, samples.new_id("ptn"), place, T0, sealed=first))
            return source_id
        case "webhook":
            webhook = Webhook(
                webhook_id=samples.new_id("hook"), partner_id=None, url="https://example.com/",
                secrets=tuple(WebhookSecret(text, T0, T0 + MINUTE) for text in texts),
                created_at=T0, updated_at=T0,
            )  # fmt: skip
            unit.webhooks.add(webhook)
            return webhook.webhook_id


def texts(store: Store, kind: SecretKind) -> dict[str, tuple[str, ...]]:
    with store.read_only() as unit:
        return {owner.owner_id: owner.texts for owner in unit.secrets.page(kind, None, 100)}


def replace(store: Store, kind: SecretKind, renewed: dict[str, dict[str, str]]) -> int:
    with store.begin() as unit:
        return unit.secrets.replace(kind, renewed)


@pytest.mark.parametrize("kind", SECRET_KINDS)
class TestSecrets:
    def test_owners_come_in_pages_by_id_without_those_that_have_none(
        self, store: Store, kind: SecretKind
    ):
        ids = sorted(kept(store, kind, f"old-{n}") for n in range(5))
        kept(store, kind)
        with store.read_only() as unit:
            first = unit.secrets.page(kind, None, 3)
            rest = unit.secrets.page(kind, first[-1].owner_id, 3)
        assert [owner.owner_id for owner in (*first, *rest)] == ids
        assert {owner.kind for owner in (*first, *rest)} == {kind}
        assert {owner.texts[0] for owner in (*first, *rest)} == {f"old-{n}" for n in range(5)}
        assert first[0].about == f"{kind}:{first[0].owner_id}"

    def test_texts_are_replaced_for_all_owners_at_once(self, store: Store, kind: SecretKind):
        one, other = kept(store, kind, "a"), kept(store, kind, "b")
        third = kept(store, kind, "c")
        assert replace(store, kind, {one: {"a": "A"}, other: {"b": "B"}}) == 2
        assert texts(store, kind) == {one: ("A",), other: ("B",), third: ("c",)}

    def test_a_text_that_was_changed_meanwhile_stays(self, store: Store, kind: SecretKind):
        one, other = kept(store, kind, "newer"), kept(store, kind, "b")
        assert replace(store, kind, {one: {"a": "A"}, other: {"b": "B"}}) == 1
        assert texts(store, kind) == {one: ("newer",), other: ("B",)}

    def test_an_owner_that_is_gone_and_nothing_at_all_replace_nothing(
        self, store: Store, kind: SecretKind
    ):
        gone: dict[SecretKind, str] = {
            "channel": samples.new_id("chan"),
            "pull": samples.new_id("src"),
            "webhook": samples.new_id("hook"),
        }
        assert replace(store, kind, {gone[kind]: {"a": "A"}}) == 0
        assert replace(store, kind, {}) == 0


class TestSecretsOfWebhooks:
    def test_each_of_several_is_replaced_and_the_rest_of_it_stays(self, store: Store):
        webhook_id = kept(store, "webhook", "newest", "a", "b")
        with store.read_only() as unit:
            before = unit.webhooks.get(webhook_id)
        assert replace(store, "webhook", {webhook_id: {"a": "A", "b": "B", "gone": "G"}}) == 2
        with store.read_only() as unit:
            after = unit.webhooks.get(webhook_id)
        sealed = [secret.sealed for secret in after.secrets]
        assert sealed == ["newest", "A", "B"]
        assert evolve(after, secrets=before.secrets) == before
        assert [evolve(s, sealed="") for s in after.secrets] == [
            evolve(s, sealed="") for s in before.secrets
        ]

    def test_a_repr_does_not_show_what_is_sealed(self, store: Store):
        assert "hidden" not in repr(
            Sealed("webhook", kept(store, "webhook", "hidden"), ("hidden",))
        )

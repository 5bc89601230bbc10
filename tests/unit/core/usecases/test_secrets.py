"""Secrets are sealed anew under the first key of the vault, so that a former one can be removed."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from attrs import evolve

from adapters.aes_vault import AesVault
from adapters.memory.mail import MemoryMail
from commerce_core.base.errors import Forbidden
from commerce_core.commerce import Commerce
from commerce_core.ports.vault import Closed, Vault
from commerce_core.usecases import secrets
from commerce_core.usecases.secrets import MOST_NAMED, SecretCounts
from tests.support.receivers import URL, Receivers, receivers

FORMER, NEW = (f"{year}:{b64encode(bytes([year % 100] * 32)).decode()}" for year in (2026, 2027))


@pytest.fixture
def made() -> Iterator[Receivers]:
    """A platform on which a channel, a source and a webhook have secrets of a former key."""
    with receivers() as found:
        context = evolve(found.commerce.context, mail=MemoryMail(), vault=AesVault.of(FORMER))
        found.commerce = Commerce(context)
        found.commerce.alerts.add(url=URL)
        found.commerce.pulls.set("main", URL, partner="Acme", username="anna", secret="hidden")
        webhook = found.commerce.webhooks.add(URL).webhook
        found.commerce.webhooks.rotate(webhook.webhook_id)
        yield found


def under(made: Receivers, vault: Vault) -> Commerce:
    return Commerce(evolve(made.commerce.context, vault=vault))


def test_what_a_former_key_sealed_is_sealed_anew_and_opens_without_it(made: Receivers):
    both = under(made, AesVault.of(f"{NEW},{FORMER}"))
    assert both.secrets.count() == SecretCounts(current=0, former=4, lost=0)
    assert both.secrets.reseal() == 4
    assert both.secrets.count() == SecretCounts(current=4, former=0, lost=0)
    alone = under(made, AesVault.of(NEW))
    assert alone.secrets.count() == SecretCounts(current=4, former=0, lost=0)
    (webhook,) = alone.webhooks.list()
    alone.webhooks.test(webhook.webhook_id)
    assert len(made.web.requests[-1].headers["webhook-signature"].split()) == 2


def test_a_second_time_there_is_nothing_to_do(made: Receivers):
    both = under(made, AesVault.of(f"{NEW},{FORMER}"))
    both.secrets.reseal()
    assert both.secrets.reseal() == 0


def test_secrets_whose_key_is_missing_stay_as_they_are_and_are_named(made: Receivers):
    without = under(made, AesVault.of(NEW))
    assert without.secrets.reseal() == 0
    counts = without.secrets.count()
    assert (counts.current, counts.former, counts.lost) == (0, 0, 4)
    assert [owner_id[:4] for owner_id in counts.lost_of] == ["chan", "src_", "hook"]
    assert under(made, AesVault.of(f"{NEW},{FORMER}")).secrets.reseal() == 4


def test_a_vault_without_keys_seals_nothing_and_counts_all_as_lost(made: Receivers):
    closed = under(made, Closed())
    assert closed.secrets.reseal() == 0
    assert closed.secrets.count().lost == 4


def test_pages_are_read_to_their_end(made: Receivers, monkeypatch: pytest.MonkeyPatch):
    for _ in range(6):
        made.commerce.webhooks.add(URL)
    monkeypatch.setattr(secrets, "MOST_AT_ONCE", 2)
    both = under(made, AesVault.of(f"{NEW},{FORMER}"))
    assert both.secrets.reseal() == 10
    assert both.secrets.count() == SecretCounts(current=10, former=0, lost=0)


def test_only_the_first_owners_of_lost_secrets_are_named(made: Receivers):
    for _ in range(MOST_NAMED):
        made.commerce.webhooks.add(URL)
    counts = under(made, AesVault.of(NEW)).secrets.count()
    assert (counts.lost, len(counts.lost_of)) == (MOST_NAMED + 4, MOST_NAMED)


def test_a_partner_does_not_see_how_many_there_are(made: Receivers):
    key = made.commerce.keys.add(partner="Acme").secret
    with pytest.raises(Forbidden):
        made.commerce.authenticated(key).secrets.count()

"""Prices that were computed before are taken as they are, for as long as they are right."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from commerce_core.ports.rules import Revision
from commerce_core.pricing.public_price import Lasting, PublicPrice
from commerce_core.usecases import known_prices
from commerce_core.usecases.known_prices import Kept, KnownPrices

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, OTHER = ("prod_1", 1, "Acme"), ("prod_2", 1, "Acme")


def lasting(amount: str, until: datetime | None = None) -> Lasting:
    return Lasting(PublicPrice(Decimal(amount)), until)


def revision(rules: int) -> Revision:
    return Revision(NOW, rules, 0, 0)


def test_a_price_is_known_from_its_moment_until_it_may_change():
    kept = Kept()
    kept.put(ONE, NOW, lasting("9.00", NOW + HOUR))
    assert kept.get(ONE, NOW) == PublicPrice(Decimal("9.00"))
    assert kept.get(ONE, NOW + HOUR - HOUR / 60) is not None
    assert kept.get(ONE, NOW + HOUR) is None
    assert kept.get(ONE, NOW - HOUR / 60) is None
    kept.put(OTHER, NOW, lasting("8.00"))
    assert kept.get(OTHER, NOW + 9_999 * HOUR) == PublicPrice(Decimal("8.00"))


@pytest.mark.parametrize("key", [("prod_1", 2, "Acme"), ("prod_1", 1, "Nord"), OTHER])
def test_another_version_or_name_has_another_price(key: known_prices.Key):
    kept = Kept()
    kept.put(ONE, NOW, lasting("9.00"))
    assert kept.get(key, NOW) is None


def test_no_more_prices_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    """Those that are asked for stay."""
    monkeypatch.setattr(known_prices, "MOST_KNOWN", 10)
    kept, keys = Kept(), [(f"prod_{n}", 1, "Acme") for n in range(40)]
    for key in keys:
        kept.put(key, NOW, lasting("9.00"))
        assert kept.get(keys[0], NOW) is not None
        assert sum(kept.get(each, NOW) is not None for each in keys[-5:]) <= 5
    known = [key for key in keys if key in kept._recent or key in kept._earlier]
    assert len(known) <= 10
    assert keys[0] in known
    assert keys[-1] in known
    assert keys[10] not in known


def test_nothing_is_known_of_another_revision():
    known = KnownPrices()
    known.of(revision(1), prior=True).put(ONE, NOW, lasting("9.00"))
    assert known.of(revision(1), prior=True).get(ONE, NOW) is not None
    assert known.of(revision(1), prior=False).get(ONE, NOW) is None
    assert known.of(revision(2), prior=True).get(ONE, NOW) is None
    assert known.of(revision(1), prior=True).get(ONE, NOW) is None

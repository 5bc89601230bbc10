"""Sealing secrets anew beside units that change their owners: none waits for the other."""

import pytest

from adapters.postgres.store import PostgresStore
from commerce_core.ports.secrets import SECRET_KINDS, SecretKind
from tests.contracts.secrets_contract import kept, replace, texts


@pytest.mark.parametrize("kind", SECRET_KINDS)
def test_an_owner_that_another_unit_is_changing_is_left_out_until_next_time(
    store: PostgresStore, kind: SecretKind
):
    one, other = kept(store, kind, "a"), kept(store, kind, "b")
    renewed = {one: {"a": "A"}, other: {"b": "B"}}
    with store.begin() as unit:
        match kind:
            case "channel":
                unit.channels.lock(one)
            case "pull":
                unit.pulls.lock(one)
            case "webhook":
                unit.webhooks.lock(one)
        assert replace(store, kind, renewed) == 1
    assert texts(store, kind) == {one: ("a",), other: ("B",)}
    assert replace(store, kind, renewed) == 1
    assert texts(store, kind) == {one: ("A",), other: ("B",)}

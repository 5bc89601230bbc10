"""On PostgreSQL, too, rights that end in the middle of everything leave nothing half done."""

import secrets
from contextlib import nullcontext
from io import BytesIO

import pytest

from adapters.memory import MemoryFiles
from adapters.postgres import PostgresStore
from commerce_core.base.errors import Conflict
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts import samples
from tests.contracts.access_machine import hold
from tests.contracts.samples import T0
from tests.contracts.threads import meanwhile
from tests.support.waiting import PATIENCE, assert_waits


@pytest.mark.slow
def test_rights_end_whole_in_the_middle_of_everything(store: PostgresStore):
    hold(store, examples=8, steps=15)


def test_a_key_that_is_rotated_while_its_owner_is_offboarded_waits_and_is_refused(
    store: PostgresStore,
):
    """Both lock the owner before its keys, so neither waits for the other for ever."""
    someone, _ = samples.settled(store)
    context = Context(
        store, MemoryFiles(), lambda: T0, secrets.token_bytes, no_lease,
        lambda _: nullcontext(BytesIO()),
    )  # fmt: skip
    commerce = Commerce(context)
    key_id = commerce.keys.add(partner=someone.partner_id).key.key_id
    with store.begin() as unit:
        unit.partners.put(unit.partners.lock(someone.partner_id).changed(T0, status="offboarded"))
        rotating = meanwhile(lambda: commerce.keys.rotate(key_id))
        assert_waits(rotating)
        assert unit.keys.revoke_of(someone.partner_id, T0) == [key_id]
    with pytest.raises(Conflict) as refused:
        rotating.result(PATIENCE)
    assert refused.value.code == "partner_offboarded"

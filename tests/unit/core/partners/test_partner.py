"""Partners, principals and keys: what exists is valid, and who may do what."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Conflict, Forbidden, InvalidInput
from commerce_core.base.text import given_name, tidy_name
from commerce_core.partners.access import (
    GRANTABLE_SCOPES,
    OPERATOR,
    OPERATOR_SCOPES,
    PARTNER_SCOPES,
    Principal,
    checked_scopes,
    identity_of_scopes,
)
from commerce_core.partners.api_key import ApiKey, digest_of, new_secret
from commerce_core.partners.partner import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    Partner,
    PartnerStatus,
    tidy_details,
)

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def partner(
    name: str = "Acme",
    status: PartnerStatus = "active",
    currency: str | None = "EUR",
    zone: str = "Europe/Rome",
    email: str | None = None,
) -> Partner:
    return Partner("ptn_1", name, status, currency, zone, email, NOW, NOW)


def pointers(refused: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [fault.pointer for fault in refused.value.faults]


# --- partners -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tidy"),
    [
        ("Acme", "Acme"), ("  Acme \t Corp\n", "Acme Corp"), ("A\0B", "A B"), ("\0", ""), ("", ""),
        ("A\ud800B", "A B"),
        ("Ünï\xa0Çödé 📦", "Ünï Çödé 📦"),
    ],
)  # fmt: skip
def test_names_have_single_spaces_and_nothing_that_no_database_takes(name: str, tidy: str):
    assert tidy_name(name) == tidy


@given(st.text())
def test_a_tidy_name_is_tidy(name: str):
    assert tidy_name(tidy_name(name)) == tidy_name(name)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Acme", "Acme"), ("A\u202ecme", "Acme"), ("Ac\u200bme\xad", "Acme"),
        ("A\x1b[31m", "A [31m"),
        ("\u202e", ""), ("\u0301", ""), ("\u3164 \u2800", ""), ("\x07", ""), ("\u200d", ""),
        ("e\u0301", "e\u0301"), ("👩\u200d🔧", "👩\u200d🔧"), ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)  # fmt: skip
def test_a_given_name_has_nothing_that_is_not_seen(name: str, kept: str):
    """What joins letters or pictures stays, and a name that was stored before stays as it is."""
    assert given_name(name) == kept
    assert tidy_details({"partner_name": name})["partner_name"] == kept
    if name == tidy_name(name):
        assert partner(name).partner_name == name


@given(st.text())
def test_a_given_name_is_tidy_and_given_again_the_same(name: str):
    kept = given_name(name)
    assert kept == given_name(kept) == tidy_name(kept)


def test_a_name_has_a_length():
    assert partner("x" * LONGEST_NAME).partner_name
    for name in ("", "x" * (LONGEST_NAME + 1), " Acme", "A  B", "A\0B"):
        with pytest.raises(InvalidInput) as refused:
            partner(name)
        assert pointers(refused) == ["/partner_name"]


@pytest.mark.parametrize("currency", ["", "eur", " EUR", "EURO", "XTS", "\0"])
def test_a_default_currency_is_a_code_in_capitals(currency: str):
    with pytest.raises(InvalidInput) as refused:
        partner(currency=currency)
    assert pointers(refused) == ["/currency"]


@pytest.mark.parametrize(
    "zone",
    [
        "", "Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "UTC\0", "\ud800",
        "x" * 5_000, "Europe/Rome ", "+01:00",
    ],
)  # fmt: skip
def test_a_time_zone_is_an_iana_name(zone: str):
    with pytest.raises(InvalidInput) as refused:
        partner(zone=zone)
    assert pointers(refused) == ["/time_zone"]


@pytest.mark.parametrize("email", ["a@b.example", "ü@münchen.example", "a+b@c.d.e"])
def test_an_address_may_be_given(email: str):
    assert partner(email=email).contact_email == email


@pytest.mark.parametrize(
    "email",
    [
        "", "a", "a@b", "@b.c", "a@b@c.d", "a b@c.d", "a@b.c\n", "a\0@b.c", "\ud800@b.c",
        "a@b." + "c" * LONGEST_EMAIL,
    ],
)  # fmt: skip
def test_an_odd_address_is_refused(email: str):
    with pytest.raises(InvalidInput) as refused:
        partner(email=email)
    assert pointers(refused) == ["/contact_email"]


def test_all_faults_of_a_partner_are_listed_at_once():
    with pytest.raises(InvalidInput) as refused:
        partner("", "gone", "x", "x", "x")  # type: ignore[arg-type]
    assert pointers(refused) == [
        "/partner_name",
        "/status",
        "/currency",
        "/time_zone",
        "/contact_email",
    ]


def test_a_change_is_tidied_checked_and_dated():
    changed = partner().changed(LATER, partner_name=" New  name ", currency=" usd ")
    assert (changed.partner_name, changed.currency) == ("New name", "USD")
    assert (changed.created_at, changed.updated_at) == (NOW, LATER)
    assert partner().changed(LATER, currency=None, contact_email=None).currency is None
    assert partner().changed(LATER) == partner()
    with pytest.raises(InvalidInput):
        partner().changed(LATER, status="closed")


@pytest.mark.parametrize("detail", ["partner_name", "status", "time_zone"])
def test_what_has_to_be_there_cannot_be_cleared(detail: str):
    with pytest.raises(InvalidInput) as refused:
        partner().changed(LATER, **{detail: None})
    assert pointers(refused) == [f"/{detail}"]


def test_details_that_are_not_given_stay_so():
    assert tidy_details({}) == {}
    assert tidy_details({"currency": None, "contact_email": "a@b.c"}) == {
        "currency": None,
        "contact_email": "a@b.c",
    }


def test_only_an_active_partner_sends_feeds():
    partner().check_may_send()
    for status in ("paused", "offboarded"):
        with pytest.raises(Conflict) as refused:
            partner(status=status).check_may_send()
        assert refused.value.code == "partner_not_active"


# --- who may --------------------------------------------------------------------------------------


def test_a_principal_may_do_what_its_scopes_say():
    reader = Principal("key", "ptn_1", frozenset({"catalog:read"}))
    reader.require("catalog:read")
    with pytest.raises(Forbidden) as refused:
        reader.require("feeds:write")
    assert "feeds:write" in refused.value.detail
    for scope in OPERATOR_SCOPES:
        OPERATOR.require(scope)


def test_a_partner_sees_its_own_and_the_operator_everything():
    own = Principal("key", "ptn_1", frozenset())
    assert own.may_see("ptn_1")
    assert not own.may_see("ptn_2")
    assert not own.may_see(None)
    assert OPERATOR.may_see("ptn_1")
    assert OPERATOR.may_see(None)


def test_the_holder_of_a_key_is_its_partner_with_its_scopes():
    key = ApiKey("key_1", "ptn_1", ("catalog:read",), NOW, digest=b"secret")
    assert key.principal() == Principal("key_1", "ptn_1", frozenset({"catalog:read"}), "key_1")
    assert "secret" not in repr(key)


def test_a_secret_is_all_of_the_entropy_and_kept_only_as_its_digest():
    secret = new_secret(lambda size: bytes(range(size)))
    assert secret == "ck_" + bytes(range(32)).hex()
    assert len(digest_of(secret)) == 32
    assert digest_of(secret) != digest_of(secret + "0")
    assert digest_of("\ud800") != digest_of("\udfff")


@pytest.mark.parametrize("operator", [True, False])
def test_a_key_has_the_scopes_of_its_holder_by_default(operator: bool):
    expected = OPERATOR_SCOPES if operator else PARTNER_SCOPES
    assert checked_scopes(None, operator=operator) == expected
    assert {"orders:write", "feeds:decide"}.isdisjoint(PARTNER_SCOPES)


def test_no_partner_is_given_what_only_operators_do():
    of_operators = {
        "partners:write", "keys:write", "pricing:read", "pricing:write", "money:write",
    }  # fmt: skip
    assert set(OPERATOR_SCOPES) - set(GRANTABLE_SCOPES) == of_operators
    for scope in of_operators:
        with pytest.raises(InvalidInput):
            checked_scopes([scope], operator=False)


def test_a_request_for_the_default_scopes_is_known_by_what_they_first_were():
    """So that a request sent again after an upgrade is the same request."""
    first = identity_of_scopes(None, operator=True)
    assert set(OPERATOR_SCOPES) - set(first) == {
        "feeds:decide", "pricing:read", "pricing:write", "webhooks:read", "webhooks:write",
        "money:read", "money:write", "orders:act", "alerts:read", "alerts:write",
    }  # fmt: skip
    own = identity_of_scopes(None, operator=False)
    assert set(PARTNER_SCOPES) - set(own) == {"money:read"}
    assert identity_of_scopes(["feeds:decide"], operator=True) == ("feeds:decide",)


def test_scopes_asked_for_are_given_once_each_in_their_usual_order():
    asked = ["orders:write", "catalog:read", "orders:write"]
    assert checked_scopes(asked, operator=False) == ("catalog:read", "orders:write")


@pytest.mark.parametrize(
    ("scopes", "operator", "faults"),
    [
        ([], True, ["/scopes"]),
        (["catalog:read", "root", "x"], True, ["/scopes/1", "/scopes/2"]),
        (["keys:write"], False, ["/scopes/0"]),
        (["partners:write", "catalog:read"], False, ["/scopes/0"]),
    ],
)
def test_scopes_beyond_the_holders_are_refused(
    scopes: list[str], operator: bool, faults: list[str]
):
    with pytest.raises(InvalidInput) as refused:
        checked_scopes(scopes, operator=operator)
    assert pointers(refused) == faults

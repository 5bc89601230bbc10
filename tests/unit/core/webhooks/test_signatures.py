"""Signatures are those of Standard Webhooks: by its published vector, and by its own library."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks

from commerce_core.base.errors import InvalidInput
from commerce_core.webhooks.signature import (
    FEWEST_SECRET_BYTES,
    MOST_SECRET_BYTES,
    TOLERANCE,
    BadSignature,
    check_secret,
    new_secret,
    signed,
    verify,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
OTHER = "whsec_" + b64encode(b"another secret of the same form").decode()


def test_the_published_vector_is_met():
    headers = signed([SECRET], MESSAGE_ID, AT, BODY)
    assert headers == {
        "webhook-id": MESSAGE_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_reference_library_accepts_what_we_sign():
    """With either of two live secrets, and with a new one of ours."""
    now, secret = datetime.now(UTC), new_secret(lambda n: bytes(range(n)))
    headers = signed([secret, OTHER], MESSAGE_ID, now, BODY)
    for known in (secret, OTHER):
        assert standardwebhooks.Webhook(known).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(BODY, headers)


def test_we_accept_what_the_reference_library_signs():
    signature = standardwebhooks.Webhook(SECRET).sign(MESSAGE_ID, AT, BODY.decode())
    headers = signed([OTHER], MESSAGE_ID, AT, BODY) | {"webhook-signature": f"v1a,x {signature}"}
    verify([OTHER, SECRET], headers, BODY, AT)


@pytest.mark.parametrize(
    ("change", "shift", "body"),
    [
        ({}, TOLERANCE + timedelta(seconds=1), BODY),
        ({}, -TOLERANCE - timedelta(seconds=1), BODY),
        ({}, timedelta(), BODY + b" "),
        ({"webhook-id": "msg_other"}, timedelta(), BODY),
        ({"webhook-id": ""}, timedelta(), BODY),
        ({"webhook-signature": ""}, timedelta(), BODY),
        ({"webhook-signature": "v1,é"}, timedelta(), BODY),
        ({"webhook-timestamp": "1614265331"}, timedelta(), BODY),
        ({"webhook-timestamp": "now"}, timedelta(), BODY),
        ({"webhook-timestamp": "9" * 400}, timedelta(), BODY),
    ],
)
def test_anything_else_is_refused(change: dict[str, str], shift: timedelta, body: bytes):
    headers = signed([SECRET], MESSAGE_ID, AT, BODY)
    verify([SECRET], headers, BODY, AT + TOLERANCE)
    with pytest.raises(BadSignature):
        verify([SECRET], headers | change, body, AT + shift)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_é",
        "whsec_" + b64encode(bytes(FEWEST_SECRET_BYTES - 1)).decode(),
        "whsec_" + b64encode(bytes(MOST_SECRET_BYTES + 1)).decode(),
    ],
)
def test_a_secret_that_is_none_is_refused(secret: str):
    check_secret("whsec_" + b64encode(bytes(FEWEST_SECRET_BYTES)).decode(), "/secret")
    check_secret("whsec_" + b64encode(bytes(MOST_SECRET_BYTES)).decode(), "/secret")
    with pytest.raises(InvalidInput):
        check_secret(secret, "/secret")

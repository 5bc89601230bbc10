"""Clients of S3 and SQS that come about quickly."""

import botocore.loaders
import botocore.session
import pytest

LOADER = botocore.loaders.create_loader()


@pytest.fixture(autouse=True)
def loader(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's descriptions, megabytes of JSON, are read anew by each session: once is enough here."""
    monkeypatch.setattr(botocore.session, "create_loader", lambda _path: LOADER)

"""`commerce secrets`: under which key of the vault stored secrets are sealed."""

from typing import Final

from entrypoints.cli.kit.verbs import Session, verb

LOST: Final = 65
"""The exit code if secrets can't be opened."""


@verb("secrets", scope="keys:write")
def secrets(session: Session) -> None:
    """Count stored secrets by the key that they are sealed under.

    A former key may be removed from vault_keys once no secret is sealed under it. The exit code is
    65 if secrets can't be opened: their key is missing, so they have to be set again.
    """
    found, out = session.commerce.secrets.count(), session.out
    out.one(
        found,
        lambda: [
            ("current key", f"{found.current:,}"),
            ("former keys", f"{found.former:,}"),
            ("can't be opened", f"{found.lost:,}"),
            *(("", owner_id) for owner_id in found.lost_of),
        ],
    )
    if found.lost:
        session.end(LOST)

"""What calls others, as it is after some calls: an endpoint, a channel for alerts, a fetch."""

from attrs import frozen

from commerce_core.alerts.alert import Alert, entry_of
from commerce_core.alerts.channel import Channel
from commerce_core.commerce import Commerce
from commerce_core.feeds.place import SftpPlace
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.webhooks.delivery import Delivery
from commerce_core.webhooks.subscription import Webhook


def alerted_channel(commerce: Commerce, partner: str) -> Channel:
    """A channel of the partner that has got an alert about the first item in its inbox."""
    context = commerce.context
    now, owner = context.clock(), commerce.partners.get(partner).partner_id
    channel = Channel(
        channel_id=context.mint("chan"), partner_id=owner,
        url=f"https://{partner[:3].lower()}.example/", created_at=now, updated_at=now,
    )  # fmt: skip
    item = next(i for i in commerce.inbox.get().items if i.partner_id == owner)
    alert = Alert(
        alert_id=context.mint("alrt"), channel_id=channel.channel_id, partner_id=owner,
        severity="critical", entries=(entry_of(item, "new"),), created_at=now, due_at=now,
    )  # fmt: skip
    with context.store.begin() as unit:
        unit.channels.add(channel)
        unit.alerts.add([alert])
    return channel


@frozen
class Failed:
    """An endpoint that was disabled, and a delivery to it that failed."""

    webhook: Webhook
    delivery: Delivery


def disabled_webhook(commerce: Commerce, partner: str) -> Failed:
    """An endpoint of the partner that was disabled, with a delivery that failed."""
    context = commerce.context
    now, owner = context.clock(), commerce.partners.get(partner).partner_id
    prefix = partner[:3]
    hook = Webhook(
        webhook_id=context.mint("hook"), partner_id=owner, url=f"https://{prefix.lower()}.example/",
        status="disabled", disabled_reason="failing", created_at=now, updated_at=now,
        failing_since=now,
    )  # fmt: skip
    delivery = Delivery(
        delivery_id=context.mint("dlv"), webhook_id=hook.webhook_id, partner_id=owner,
        event_id=context.mint("evt"), sequence=1, kind="feed.held",
        subject=f"{prefix.upper()}-subject", status="failed", attempts=1, created_at=now,
        due_at=None, finished_at=now, http_status=500,
    )  # fmt: skip
    with context.store.begin() as unit:
        unit.webhooks.add(hook)
        unit.deliveries.add([delivery])
    return Failed(hook, delivery)


def waiting_fetch(commerce: Commerce, source_id: str, partner_id: str) -> Fetch:
    """A fetch of a source's folder that waits for a worker."""
    context = commerce.context
    now = context.clock()
    place = SftpPlace("sftp://partner.example/out/", (f"SHA256:{'A' * 43}",))
    fetch = Fetch(context.mint("ftch"), source_id, partner_id, "request", now, now)
    with context.store.begin() as unit:
        unit.pulls.put(Pull(source_id, partner_id, place, now))
        unit.fetches.add([fetch])
    return fetch

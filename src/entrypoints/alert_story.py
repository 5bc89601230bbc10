"""What is reported about tries to send alerts: events in the log, and metrics."""

from commerce_core.alerts.alert import Alert
from entrypoints import logs
from entrypoints.metrics import metrics


def tried(alert: Alert) -> None:
    """Counts a try, and logs it by ids."""
    outcome = "retry" if alert.status == "pending" else alert.status
    metrics().alert(outcome, alert.severity)
    log = logs.info if outcome == "sent" else logs.warning
    log(
        "alert.tried",
        alert_id=alert.alert_id,
        channel_id=alert.channel_id,
        attempt=alert.attempts,
        outcome=outcome,
        severity=alert.severity,
        causes=len(alert.entries) + alert.more,
        code=alert.error,
    )

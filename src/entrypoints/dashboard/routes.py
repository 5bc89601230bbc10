"""All pages of the dashboard, for the server to serve at `/`."""

from collections.abc import Sequence

from litestar.handlers import HTTPRouteHandler

from entrypoints.dashboard.kit.assets import get_asset
from entrypoints.dashboard.pages import (
    alerts,
    analytics,
    backfills,
    bulk_acts,
    entry,
    feeds,
    inbox,
    jobs,
    order_acts,
    orders,
    partners,
    products,
    pulls,
    rules,
    saved_views,
    sources,
    statements,
    system,
    upload,
    webhooks,
)
from entrypoints.http.app import FORM_BYTES
from entrypoints.settings import Settings


def routes(settings: Settings) -> Sequence[HTTPRouteHandler]:
    """The pages and acts of one process, and what browsers load beside them."""
    return (
        get_asset,
        *entry.ROUTES,
        *inbox.ROUTES,
        *feeds.ROUTES,
        *upload.routes(settings.most_upload_bytes + FORM_BYTES),
        *jobs.ROUTES,
        *bulk_acts.ROUTES,
        *products.ROUTES,
        *orders.ROUTES,
        *order_acts.ROUTES,
        *partners.ROUTES,
        *sources.ROUTES,
        *pulls.ROUTES,
        *backfills.ROUTES,
        *rules.ROUTES,
        *analytics.ROUTES,
        *statements.ROUTES,
        *webhooks.ROUTES,
        *alerts.ROUTES,
        *saved_views.ROUTES,
        *system.ROUTES,
    )

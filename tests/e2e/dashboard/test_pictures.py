"""The pictures of the documentation: the demo's company, before any test decides anything."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.dashboard.conftest import Person, Site

Visit = Callable[..., Person]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ASSETS = Path(__file__).parents[3] / "docs" / "assets"
LARGEST_PICTURE = 150_000


@pytest.fixture(scope="module")
def paths(site: Site) -> dict[str, str]:
    """The address of what each picture shows."""
    c = site.commerce
    dirty = next(c.feeds.list(partner="Hopfenhaus"))
    product = next(c.products.list(partner="Voltline"))
    shared = next(
        order for order in c.orders.list() if len(order.parts) > 1 and order.refundable_amount
    )
    return {
        "inbox": "/",
        "dirty": f"/feeds/{dirty.feed_id}",
        "product": f"/products/{product.product_id}",
        "refund": f"/orders/{shared.order_id}/refund",
    }


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("inbox", "light"), ("dirty", "light"), ("product", "dark"), ("refund", "light")],
)
def test_pictures_of_the_documentation_are_taken(
    visit: Visit, paths: dict[str, str], name: str, scheme: str, tmp_path: Path
):
    """They are taken anew when DASHBOARD_PICTURES is set, and stay small in any case."""
    person = visit(width=1100, scheme=scheme).sign_in()
    person.open(paths[name])
    folder = ASSETS if os.environ.get("DASHBOARD_PICTURES") else tmp_path
    picture = folder / f"dashboard-{name}.png"
    person.page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1100, "height": 720})
    assert picture.stat().st_size < LARGEST_PICTURE

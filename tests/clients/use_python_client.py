"""Uses a generated Python client as a shop would; prints what it saw.

    python use_python_client.py FOLDER ADDRESS SECRET

FOLDER has the package `client`. This runs where the generator is installed, apart from our tests.
"""

import json
import sys
from importlib import import_module
from io import BytesIO
from typing import Any

FEED = b"sku,product_name,price,currency,quantity\nA-1,Lamp,12.50,USD,7\nA-2,Chair,80,USD,2\n"


def main() -> None:
    """Adds a partner, uploads a feed, runs its job, lists, exports and orders."""
    folder, address, secret = sys.argv[1:]
    sys.path.insert(0, folder)
    models: Any = import_module("client.models")
    types: Any = import_module("client.types")
    client = import_module("client").AuthenticatedClient(address, secret)

    def call(module: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401 generated
        return import_module(f"client.api.{module}").sync(*arguments, client=client, **named)

    partner = call("partners.add_partner", body=models.NewPartner(partner_name="Acme"))
    file = types.File(payload=BytesIO(FEED), file_name="feed.csv", mime_type="text/csv")
    form = models.FeedUpload(file=file, partner_id=partner.partner_id, run=False)
    receipt = call("feeds.upload_feed", body=form)
    job = call("jobs.run_job", receipt.job_id, wait=30)
    page = call("products.list_products", sellable=True, count=True, partner_name="acme")
    raw = call("feeds.get_raw", receipt.feed_id)
    item = models.NewItem(quantity=2, product_id=page.items[0].product_id)
    order = call("orders.place_order", body=models.NewOrder(items=[item]))
    refused = call("orders.place_order", body=models.NewOrder(items=[]))
    seen = {
        "job": str(job.status),
        "skus": [product.sku for product in page.items],
        "count": page.count,
        "raw": raw.payload.read().decode(),
        "total": order.total_amount,
        "refused": [fault.pointer for fault in refused.errors],
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()

"""What the members of a rule's written form mean, each with an example that can be read.

The reference in the documentation and the API's description are made from these tables.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen


@frozen
class Member:
    """What a member means, and an example of its value."""

    meaning: str
    example: Any


_TEXT: Final = "A text, or a list of which any one matches."
CONDITIONS: Final[Mapping[str, Member]] = {
    "all": Member("Every one of these conditions holds.", [{"brand": "Acme"}, {"channel": "web"}]),
    "any": Member("At least one of these conditions holds.", [{"sku": "A-1"}, {"brand": "Acme"}]),
    "not": Member("The condition doesn't hold.", {"category": "Shoes"}),
    "partner": Member(f"The product's partner, by id or name. {_TEXT}", "Acme"),
    "source": Member(f"Id of the source that the product came from. {_TEXT}", "src_0199c2f4a1b0"),
    "category": Member(f"The product's category, or one above it. {_TEXT}", "Shoes > Boots"),
    "brand": Member(f"The product's brand. {_TEXT}", ["Acme", "Nord"]),
    "sku": Member(f"The product's sku. {_TEXT}", ["A-1", "A-2"]),
    "group_id": Member(f"The product's variant family. {_TEXT}", "BOOT-7"),
    "code": Member(f"A code given with the basket, in any case. {_TEXT}", "SPRING"),
    "customer": Member(f"The client's own id of the customer. {_TEXT}", "c-1"),
    "customer_group": Member(f"The customer's group. {_TEXT}", "trade"),
    "channel": Member(f"The channel in which the basket is bought. {_TEXT}", "web"),
    "currency": Member(f"The currency of the basket. {_TEXT}", "EUR"),
    "attribute": Member(
        "The product's attribute `name` is `in` these.", {"name": "season", "in": ["winter"]}
    ),
    "list_price": Member("The list price of a unit; bounds are included.", {"min": "10.00"}),
    "running_price": Member(
        "The price of a unit that earlier rules have left, on average.", {"max": "99.99"}
    ),
    "quantity": Member(
        "The units `of` the line (the default; a product has one line), its variant `group`, its "
        "`partner`, of all that `match` the rest of the condition, or of the `order`.",
        {"min": 3, "of": "match"},
    ),
    "total": Member(
        "What the units cost so far, `of` all that `match` the rest of the condition (the "
        "default), or as for `quantity`.",
        {"min": "50.00"},
    ),
    "window": Member(
        "The moment: from a local day or time (included) until another (a day: to its end; a "
        "time: excluded) in the zone `tz`, on week days, and at hours of the day (until 24:00 at "
        "most).",
        {"from": "2026-03-01", "until": "2026-03-31", "tz": "Europe/Berlin",
         "days": ["sat", "sun"], "hours": {"from": "18:00", "until": "22:00"}},
    ),
}  # fmt: skip
"""Each kind of condition."""

BENEFITS: Final[Mapping[str, Member]] = {
    "percent": Member("Takes a percentage off, from 0 to 100.", "20"),
    "amount": Member("Takes an amount off each unit; as an order rule, off the order.", "5.00"),
    "fixed_price": Member(
        "Lowers the price of each unit to this one; as an order rule, that of all that matches. "
        "Never raises a price.",
        "9.90",
    ),
    "markup_percent": Member("Adds a percentage, from 0 to 1000. Line rules only.", "15"),
    "markup_amount": Member("Adds an amount to each unit. Line rules only.", "2.50"),
    "tiers": Member(
        "By quantity (`of` as in the condition). `each`, the default: all units get the step that "
        "the whole quantity reaches. `graduated`: each unit gets the step in which it lies, the "
        "cheapest units first. Line rules only.",
        {"mode": "each", "steps": [{"from": 2, "percent": "5"}, {"from": 10, "percent": "12"}]},
    ),
    "n_for_m": Member(
        "Of each set of `buy` and `get` units, reduces the `get` units by a percent, an amount or "
        "to a fixed_price. Without `targets` these are a set's cheapest; `targets` and "
        "`qualifiers` are conditions on the units that are reduced, and bought. `most` limits the "
        "sets, `favours` (customer or shop) decides how units are put into sets.",
        {"buy": 2, "get": 1, "percent": "100"},
    ),
    "sets": Member(
        "Takes a percentage off units that make sets of at least a total, filled cheapest first.",
        {"min_total": "149.00", "percent": "10"},
    ),
    "bundle": Member(
        "A price for a set of units. Its items are filled in the order in which they are written, "
        "the dearest units that fit first; it applies where it takes something off.",
        {"items": [{"sku": "CAMERA"}, {"category": "Lenses", "quantity": 2}], "price": "999.00"},
    ),
    "ending": Member(
        "Moves the price of a unit `down`, `up` or to the `nearest` (the default) with that ending "
        "(`.99`) or multiple (`5`). Line rules only.",
        {"to": ".99", "mode": "down"},
    ),
    "price_list": Member(
        "Lowers the price of each unit to the one that a price list, by name or id, has for the "
        "line's quantity. Never raises a price. Line rules only.",
        "Trade",
    ),
    "floor": Member(
        "Gives nothing, but no rule and no sale takes a unit below the `price`, the "
        "`percent_of_list`, or its cost plus `margin_percent` of the cost; a price list, the "
        "`cost_list`, has the costs. Holds at every step, whatever the priority. Line rules only.",
        {"percent_of_list": "60"},
    ),
}
"""Each kind of benefit."""

RULE: Final[Mapping[str, Member]] = {
    "name": Member("Unique among the rules that aren't archived.", "Spring sale"),
    "applies_to": Member(
        "`line` (the default), or `order`: computed for all matching lines at once, after all line "
        "rules, and shared among them.",
        "line",
    ),
    "priority": Member(
        "Rules with a higher one are applied first, those with the same one by id (default: 0).",
        10,
    ),
    "group": Member(
        "Rules of a group use each unit once. Its `mode` is `all`, `first` (only the first that "
        "has an effect) or `best` (only the one that takes most off this basket).",
        {"name": "sales", "mode": "best"},
    ),
    "final": Member(
        "Whether no later rule applies to the lines that this one changes.", example=False
    ),
    "on": Member("What a percentage is of: the `running` price (the default), or `list`.", "list"),
    "currency": Member("Limits the rule to baskets in this currency.", "EUR"),
    "condition": Member(
        "What has to hold for a line; without one, every line matches.", {"brand": "Acme"}
    ),
    "benefit": Member("What it does.", {"percent": "20"}),
    "limits": Member(
        "`max_amount` per order; `most_uses` in all and `per_customer`, in orders; `budget`, all "
        "that it may take off in each currency.",
        {"max_amount": "50.00", "most_uses": 100, "per_customer": 1, "budget": "1000.00"},
    ),
    "funded_by": Member(
        "`platform` (the default), `partner`, or the partner in part.", {"partner_percent": "30"}
    ),
}
"""Each member of a rule."""

"""Everything the platform does, grouped by noun. Each public method of a noun is one use case.

    partners    the retailers that send feeds       products    the catalog as it is
    sources     recurring feeds, their profiles     history     what it was, and why
    keys        API keys and their scopes           pricing     price rules, and quotes
    pulls       fetching sources by themselves      freshness   which sources are late
    feeds       files as they were received         orders      sales at frozen prices
    jobs        the processing of feeds             analytics   sales figures
    plans       what a feed would do; decisions     events      what happened, for followers
    reverts     undoing what a feed wrote           audit       who did what
    webhooks    who is called, and the log          health      whether every part is up
    queue       jobs and tasks, for workers         sending     deliveries, for workers
    inbox       what needs a person now             sessions    people who signed in
    price_lists prices by sku and quantity          what_ifs    orders under other rules
    statements  what partners are owed, payouts     bulk_acts   one act on a group of feeds
    alerts      who gets messages about the inbox   alerting    alerts, for workers
    saved_views filters of lists, under names       secrets     stored secrets, by the key of each

    upload ──> raw file + feed + job ──> run: read ─> compare ─> guards ─┬> apply ──> publication
                                               │         │               └> hold ──> a decision
                                      records, problems plan
    publication ──> products, versions ──> changes, history, lineage, revert, replay, export
    products, price rules ──> price of a basket ──> quote
    products ──> order: reserve units, price, freeze lines, ledger entries ──> figures

A use case reads, decides with the pure core, and writes once: one `with store.begin()` is one
transaction. Entry points only translate to use cases and back; they decide nothing. `pricing`
decides what a product costs, `catalog` whether it can be sold, `parsing` what a record means,
`plans` what becomes of it, and `feeds.guards` whether a person has to approve that. `ingestion`
runs the jobs. Events and audit entries are written in the same transaction as what they report.
"""

from attrs import frozen

from commerce_core.partners.access import Principal
from commerce_core.ports.runtime import Effort
from commerce_core.usecases.alert_sending import Alerting
from commerce_core.usecases.alerts import Alerts
from commerce_core.usecases.analytics import Analytics
from commerce_core.usecases.audit import Audit
from commerce_core.usecases.bulk_acts import BulkActs
from commerce_core.usecases.context import Context
from commerce_core.usecases.events import Events
from commerce_core.usecases.feeds import Feeds
from commerce_core.usecases.freshness import Freshness
from commerce_core.usecases.health import Health
from commerce_core.usecases.history import History
from commerce_core.usecases.inbox import InboxItems
from commerce_core.usecases.jobs import Jobs
from commerce_core.usecases.keys import Keys
from commerce_core.usecases.orders import Orders
from commerce_core.usecases.partners import Partners
from commerce_core.usecases.plans import Plans
from commerce_core.usecases.price_lists import PriceLists
from commerce_core.usecases.pricing import Pricing
from commerce_core.usecases.products import Products
from commerce_core.usecases.pulls import Pulls
from commerce_core.usecases.queue import Queue
from commerce_core.usecases.reverts import Reverts
from commerce_core.usecases.saved_views import SavedViews
from commerce_core.usecases.secrets import Secrets
from commerce_core.usecases.sessions import Sessions
from commerce_core.usecases.sources import Sources
from commerce_core.usecases.statements import Statements
from commerce_core.usecases.webhook_sending import Sending
from commerce_core.usecases.webhooks import Webhooks
from commerce_core.usecases.what_ifs import WhatIfs


@frozen
class Commerce:
    """The platform as one principal sees it. Safe to share between threads."""

    context: Context

    @property
    def partners(self) -> Partners:
        """The retailers that send feeds."""
        return Partners(self.context)

    @property
    def what_ifs(self) -> WhatIfs:
        """What orders would have cost under other rules, as runs for workers."""
        return WhatIfs(self.context)

    @property
    def keys(self) -> Keys:
        """API keys and their scopes."""
        return Keys(self.context)

    @property
    def sources(self) -> Sources:
        """Recurring feeds of partners, and their profiles."""
        return Sources(self.context)

    @property
    def freshness(self) -> Freshness:
        """Which sources are late."""
        return Freshness(self.context)

    @property
    def pulls(self) -> Pulls:
        """Where sources are fetched from, when, and what was fetched."""
        return Pulls(self.context)

    @property
    def feeds(self) -> Feeds:
        """Files as they were received."""
        return Feeds(self.context)

    @property
    def jobs(self) -> Jobs:
        """The processing of feeds."""
        return Jobs(self.context)

    @property
    def bulk_acts(self) -> BulkActs:
        """Acts on whole groups of feeds, and why feeds failed."""
        return BulkActs(self.context)

    @property
    def plans(self) -> Plans:
        """What a feed would do, and decisions about feeds that are held."""
        return Plans(self.context)

    @property
    def reverts(self) -> Reverts:
        """Undoing what a feed wrote."""
        return Reverts(self.context)

    @property
    def products(self) -> Products:
        """The catalog."""
        return Products(self.context)

    @property
    def history(self) -> History:
        """The catalog through time."""
        return History(self.context)

    @property
    def pricing(self) -> Pricing:
        """Price rules, and quotes."""
        return Pricing(self.context)

    @property
    def price_lists(self) -> PriceLists:
        """Price lists."""
        return PriceLists(self.context)

    @property
    def orders(self) -> Orders:
        """Orders."""
        return Orders(self.context)

    @property
    def statements(self) -> Statements:
        """What partners are owed, and payouts."""
        return Statements(self.context)

    @property
    def analytics(self) -> Analytics:
        """Sales figures."""
        return Analytics(self.context)

    @property
    def events(self) -> Events:
        """What happened, for clients that follow it."""
        return Events(self.context)

    @property
    def webhooks(self) -> Webhooks:
        """Subscriptions to events, and the log of their deliveries."""
        return Webhooks(self.context)

    @property
    def audit(self) -> Audit:
        """Who did what."""
        return Audit(self.context)

    @property
    def inbox(self) -> InboxItems:
        """What needs a person now."""
        return InboxItems(self.context)

    @property
    def alerts(self) -> Alerts:
        """Who gets messages about what needs a person, and the log of them."""
        return Alerts(self.context)

    @property
    def alerting(self) -> Alerting:
        """Alerts, as workers see them."""
        return Alerting(self.context)

    @property
    def saved_views(self) -> SavedViews:
        """Filters of lists, under names."""
        return SavedViews(self.context)

    @property
    def secrets(self) -> Secrets:
        """Stored secrets, by the key that each is sealed under."""
        return Secrets(self.context)

    @property
    def sessions(self) -> Sessions:
        """People who signed in, in a browser."""
        return Sessions(self.context)

    @property
    def health(self) -> Health:
        """Whether every part can be used."""
        return Health(self.context)

    @property
    def queue(self) -> Queue:
        """Jobs and tasks, as workers see them."""
        return Queue(self.context)

    @property
    def sending(self) -> Sending:
        """Deliveries of webhooks, as workers see them."""
        return Sending(self.context)

    def acting_as(self, principal: Principal) -> "Commerce":
        """The same platform as another principal sees it."""
        return Commerce(self.context.acting_as(principal))

    def within(self, effort: Effort) -> "Commerce":
        """The same platform for one effort: what it begins ends when that is over."""
        return Commerce(self.context.within(effort))

    def resumed(self, token: str | None) -> "Commerce":
        """The platform as a session's key sees it; Unauthenticated if that isn't valid."""
        return self.acting_as(self.sessions.resume(token))

    def authenticated(self, secret: str | None) -> "Commerce":
        """The platform as an API key's holder sees it; Unauthenticated if the key isn't valid."""
        return self.acting_as(self.keys.authenticate(secret))

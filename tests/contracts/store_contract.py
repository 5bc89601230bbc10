"""The whole contract of a store: one promise of `commerce_core.ports.store` per test.

A test module takes it in, and provides the fixture `store`: an empty one for each test, whose own
clock is the real one, and that has room for ten units at once.

    from tests.contracts.store_contract import *

    @pytest.fixture
    def store(): ...
"""

from tests.contracts.activity_contract import TestAudit, TestEvents
from tests.contracts.alerts_contract import TestAlerts, TestChannels
from tests.contracts.bulk_acts_contract import TestBulkActs, TestGroups
from tests.contracts.catalog_contract import TestCatalog, TestPublications
from tests.contracts.claiming_contract import TestClaiming
from tests.contracts.decisions_contract import TestDecisions
from tests.contracts.exports_contract import TestExports
from tests.contracts.fields_contract import TestFields
from tests.contracts.freshness_contract import TestArrivals, TestStale, TestStandings
from tests.contracts.inbox_contract import TestCauses
from tests.contracts.jobs_contract import TestFeeds, TestJobs
from tests.contracts.ledger_contract import TestEntries
from tests.contracts.listings_contract import TestListings, TestProductListings
from tests.contracts.orders_contract import TestIdempotency, TestOrders
from tests.contracts.partners_contract import TestKeys, TestPartners, TestSources
from tests.contracts.placing_contract import TestPlacing
from tests.contracts.plans_contract import TestPlans
from tests.contracts.price_lists_contract import TestPriceLists
from tests.contracts.pulls_contract import TestFetches, TestPulledFiles, TestPulls
from tests.contracts.rates_contract import TestBounded, TestRates
from tests.contracts.reverts_contract import TestReverts
from tests.contracts.rules_contract import TestLimits, TestRules
from tests.contracts.sales_contract import TestSales
from tests.contracts.saved_views_contract import TestSavedViews
from tests.contracts.secrets_contract import TestSecrets, TestSecretsOfWebhooks
from tests.contracts.sessions_contract import TestSessions
from tests.contracts.sorting_contract import TestProductLists
from tests.contracts.statements_contract import TestDifferences, TestStatements, TestTerms
from tests.contracts.stock_contract import TestHotProducts, TestStock
from tests.contracts.tasks_contract import TestTasks
from tests.contracts.turns_contract import TestTurns
from tests.contracts.unchanged_contract import TestMatching
from tests.contracts.units_contract import TestUnits
from tests.contracts.versions_contract import TestVersions
from tests.contracts.webhooks_contract import TestDeliveries, TestWebhooks
from tests.contracts.what_ifs_contract import TestWhatIfs

__all__ = [
    "TestAlerts",
    "TestArrivals",
    "TestAudit",
    "TestBounded",
    "TestBulkActs",
    "TestCatalog",
    "TestCauses",
    "TestChannels",
    "TestClaiming",
    "TestDecisions",
    "TestDeliveries",
    "TestDifferences",
    "TestEntries",
    "TestEvents",
    "TestExports",
    "TestFeeds",
    "TestFetches",
    "TestFields",
    "TestGroups",
    "TestHotProducts",
    "TestIdempotency",
    "TestJobs",
    "TestKeys",
    "TestLimits",
    "TestListings",
    "TestMatching",
    "TestOrders",
    "TestPartners",
    "TestPlacing",
    "TestPlans",
    "TestPriceLists",
    "TestProductListings",
    "TestProductLists",
    "TestPublications",
    "TestPulledFiles",
    "TestPulls",
    "TestRates",
    "TestReverts",
    "TestRules",
    "TestSales",
    "TestSavedViews",
    "TestSecrets",
    "TestSecretsOfWebhooks",
    "TestSessions",
    "TestSources",
    "TestStale",
    "TestStandings",
    "TestStatements",
    "TestStock",
    "TestTasks",
    "TestTerms",
    "TestTurns",
    "TestUnits",
    "TestVersions",
    "TestWebhooks",
    "TestWhatIfs",
]

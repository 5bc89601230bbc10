"""Keeps everything in PostgreSQL 15 or newer: `commerce_core.ports.Store`, durable and shared.

    store         the pool of connections, units of work, which outage is told how
    migrations    brings a database's schema up to date, whoever else is starting
    rows          between rows and the core's values: ids, arrays, keyset pages
    documents     the values that are kept as jsonb
    pages         conditions, and lists that are walked along an id
    partners, sources, feeds, jobs, products, publications, versions, reverting, orders, sales,
    events, audit, idempotency
                  the collections of the unit of work, by noun
    queue, hints  which job is run next, and who is told that there is one
    product_filters, product_pages, exporting
                  which products fit, their pages, and all of them as a file
    recognising, columns, copying
                  fingerprints out, rows in: a million of each without an object for any
    staging, deciding, comparing, measuring, applying
                  a feed against the catalog, by set operations: `plans.compare` in SQL
    loading       a partner's first feed, straight into the catalog

The SQL uses core features alone. No statement is sent per row, and none locks rows of two partners.
"""

from adapters.postgres.store import PostgresStore

__all__ = ["PostgresStore"]

"""Keeps everything in PostgreSQL 15 or newer: `ports.store.Store`, durable and shared.

    store         the pool of connections, and units of work
    migrations    brings a database's schema up to date, also when several processes start at once
    connection/   what every statement stands on: errors, timeouts, locks, rows, documents
    collections/  the collections of a unit of work by noun, and the queue of jobs
    ingest/       a feed against the catalog by set operations: `comparison.compare` in SQL
    catalog/      products: pages, filters, versions, reverts, publications, exports

The SQL uses core features alone. No statement is sent per row, and none locks rows of two partners.
"""

from adapters.postgres.store import PostgresStore

__all__ = ["PostgresStore"]

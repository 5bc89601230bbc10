"""Rates in PostgreSQL: one statement takes tokens, however many processes ask at once."""

from attrs import frozen

from adapters.postgres.connection.rows import Connection
from commerce_core.base.rates import Rate


@frozen
class Rates:
    """Implements `ports.rates.Rates`, by the database's clock."""

    _db: Connection

    def take(self, limit: str, subject: str, rate: Rate, wanted: int) -> int:
        """Takes up to that many tokens; the row's lock makes callers take turns."""
        row = self._db.execute(
            """
            INSERT INTO rate_limits AS r (limit_name, subject, tokens, granted, used_at)
            VALUES (
                %(limit)s, %(subject)s,
                %(burst)s - least(%(wanted)s, %(burst)s), least(%(wanted)s, %(burst)s),
                clock_timestamp()
            )
            ON CONFLICT (limit_name, subject) DO UPDATE
            SET (tokens, granted, used_at) = (
                SELECT filled - taken, taken, now
                FROM clock_timestamp() AS now,
                LATERAL (
                    SELECT least(
                        %(burst)s,
                        r.tokens
                        + greatest(0, extract(epoch FROM now - r.used_at)) * %(per_second)s
                    )
                ) AS bucket (filled),
                LATERAL (
                    SELECT greatest(0, least(%(wanted)s, floor(filled)))
                ) AS grant_now (taken)
            )
            RETURNING granted
            """,
            {
                "limit": limit,
                "subject": subject,
                "burst": float(rate.burst),
                "per_second": rate.per_second,
                "wanted": float(wanted),
            },
        ).fetchone()
        return int(row[0]) if row else 0

    def spend(self, limit: str, subject: str, rate: Rate, cost: float) -> float:
        """Takes tokens for something that is done already, and returns how many are left."""
        row = self._db.execute(
            """
            INSERT INTO rate_limits AS r (limit_name, subject, tokens, granted, used_at)
            VALUES (
                %(limit)s, %(subject)s, %(burst)s - %(cost)s::float8, 0, clock_timestamp()
            )
            ON CONFLICT (limit_name, subject) DO UPDATE
            SET (tokens, granted, used_at) = (
                SELECT
                    least(
                        %(burst)s,
                        r.tokens
                        + greatest(0, extract(epoch FROM now - r.used_at)) * %(per_second)s
                    ) - %(cost)s::float8,
                    0,
                    now
                FROM clock_timestamp() AS now
            )
            RETURNING tokens
            """,
            {
                "limit": limit,
                "subject": subject,
                "burst": float(rate.burst),
                "per_second": rate.per_second,
                "cost": cost,
            },
        ).fetchone()
        return float(row[0]) if row else 0.0

"""Measures reports over a ledger of millions of entries, beside a plain GROUP BY over the entries.

    make bench-selling ONLY=reports ENTRIES=10000000

A year of orders of two lines from 20 partners with 5,000 products; 8 % of the lines are cancelled
within five days, and 2 % refunded within thirty. Fewer entries fill a part of the year, or with
`--year ENTRIES` a year that is quieter. Prints what rolling up takes, then a row for each question:
the median of the rounds, what the plain query takes, and whether their figures are equal. The
server's processor time, which other programs hardly change, is in brackets.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from os import sysconf
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

from adapters.embedded_postgres import running_postgres
from adapters.postgres import PostgresStore
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.analytics.rollup import MOST_ROLLED

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=365)
YEAR = 10_000_000
"""Entries of a year; fewer are those of a part of it, so that days are as full."""
ORDERS_AT_ONCE = 50_000
PLACE = """
    INSERT INTO sales_entries (entry_id, kind, at, order_id, item_id, partner_id, product_id, sku,
                               currency, quantity, gross, discount, amount, opens)
    SELECT gen_random_uuid(), 'placed', %(first)s + n * %(step)s, lpad(to_hex(n), 32, '0')::uuid,
           lpad(to_hex(n * 2 + line), 32, '0')::uuid,
           lpad(to_hex(product %% 20 + 1), 32, '0')::uuid,
           lpad(to_hex(product + 1), 32, '0')::uuid, 'SKU', 'EUR', units, units * price, 1,
           units * price - 1,
           CASE
               WHEN line = 0 THEN 2
               WHEN product %% 20 <> lag(product) OVER (PARTITION BY n ORDER BY line) %% 20 THEN 1
               ELSE 0
           END
    FROM generate_series(%(since)s::bigint, %(until)s::bigint - 1) AS n
    CROSS JOIN generate_series(0, 1) AS line
    CROSS JOIN LATERAL (
        SELECT (n * 7919 + line * 104729 + n %% 97 * n %% 31) %% 5000 AS product,
               1 + (n + line) %% 3 AS units,
               round((5 + (n * 31 + line) %% 20000 / 100.0), 2) AS price
    ) AS made
    """
PLAIN = """
    SELECT {period} AS period, {key} AS key, currency,
           sum(CASE kind WHEN 'placed' THEN quantity ELSE -quantity END) AS units,
           sum(CASE kind WHEN 'placed' THEN gross ELSE 0 END) AS gross,
           sum(CASE kind WHEN 'placed' THEN amount ELSE -amount END) AS net,
           count(DISTINCT order_id) FILTER (WHERE kind = 'placed')
    FROM sales_entries
    WHERE at >= %(since)s AND at < %(until)s
    GROUP BY 1, 2, 3"""
TAKEN_BACK = """
    INSERT INTO sales_entries (entry_id, kind, at, order_id, item_id, partner_id, product_id, sku,
                               currency, quantity, gross, discount, amount, reason)
    SELECT gen_random_uuid(), CASE WHEN fate < 0.08 THEN 'cancelled' ELSE 'refunded' END,
           at + fate * 60 * interval '1 day', order_id, item_id, partner_id, product_id, sku,
           currency, quantity, gross, discount, amount,
           CASE WHEN fate < 0.08 THEN NULL WHEN fate < 0.09 THEN 'damaged' ELSE 'too late' END
    FROM (
        SELECT e.*, random() AS fate
        FROM sales_entries e
        WHERE e.kind = 'placed' AND e.at >= %(first)s + %(since)s * %(step)s
          AND e.at < %(first)s + %(until)s * %(step)s
    ) AS chosen
    WHERE fate < 0.1
    """


def processor_seconds(db: psycopg.Connection[Any]) -> float:
    """What all connections to the server have used so far (where there is /proc, else nothing)."""
    pids = db.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
    ticks = 0
    for (pid,) in pids.fetchall():
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return ticks / sysconf("SC_CLK_TCK")


def fill(db: psycopg.Connection[Any], entries: int, year: int) -> None:
    """A year of orders, in transactions of some size."""
    orders = round(entries / 2.2)
    step = (LAST - FIRST) / round(year / 2.2)
    for since in range(0, orders, ORDERS_AT_ONCE):
        until = min(orders, since + ORDERS_AT_ONCE)
        params = {"first": FIRST, "step": step, "since": since, "until": until}
        db.execute(PLACE, params)
        db.execute(TAKEN_BACK, params)
    db.execute("VACUUM ANALYZE sales_entries")


def questions() -> list[tuple[str, SalesQuestion, str]]:
    """What is asked: a title, the question, and the period of the plain query."""
    odd = FIRST + timedelta(days=40, hours=3, minutes=7), LAST - timedelta(days=77, minutes=1)
    may = datetime(2025, 5, 1, 4, tzinfo=UTC)
    by_day = SalesQuestion(FIRST - timedelta(hours=1), LAST - timedelta(hours=1), grain="day")
    day, hour = "date_trunc('day', at, '{}')", "date_trunc('hour', at)"
    rome, new_york, kolkata = "Europe/Rome", "America/New_York", "Asia/Kolkata"
    partner = f"ptn_{3:032x}"
    return [
        ("all, a year", SalesQuestion(FIRST, LAST, by_partner=False), "NULL"),
        ("by partner, a year", SalesQuestion(FIRST, LAST), "NULL"),
        ("by partner, an odd range", SalesQuestion(*odd), "NULL"),
        ("one partner, an odd range", SalesQuestion(*odd, partner_id=partner), "NULL"),
        ("days in Rome, all, a year", by_day_in(by_day, rome, each=False), day.format(rome)),
        ("days in Rome, by partner, a year", by_day_in(by_day, rome), day.format(rome)),
        ("days in Kolkata, by partner, odd", SalesQuestion(
            odd[0], odd[1], grain="day", zone=kolkata), day.format(kolkata)),
        ("months in Rome, by partner, a year", SalesQuestion(
            by_day.since, by_day.until, grain="month", zone=rome),
         f"date_trunc('month', at, '{rome}')"),
        ("hours in New York, by partner, a month", SalesQuestion(
            may, may + timedelta(days=31), grain="hour", zone=new_york), hour),
        ("hours in New York, all, a year", SalesQuestion(
            FIRST, LAST, grain="hour", zone=new_york, by_partner=False), hour),
    ]  # fmt: skip


def by_day_in(question: SalesQuestion, zone: str, *, each: bool = True) -> SalesQuestion:
    """The question in that zone."""
    return SalesQuestion(question.since, question.until, grain="day", zone=zone, by_partner=each)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and the answer."""
    begun = perf_counter()
    answer = run()
    return (perf_counter() - begun) * 1000, answer


def row(title: str, times: Sequence[float], plain: float, *, same: bool) -> None:
    """Prints one row."""
    fast = median(times)
    print(
        f"{title:50} {fast:8.1f} ms; plain {plain:9.0f} ms, {plain / fast:6.0f} x;"
        f" {'equal' if same else 'DIFFERENT'}"
    )


def measure(store: PostgresStore, db: psycopg.Connection[Any], rounds: int) -> None:
    """Asks each question both ways."""

    def totals(question: SalesQuestion) -> list[Any]:
        with store.begin() as unit:
            return list(unit.sales.totals(question))

    for title, question, period in questions():
        used = processor_seconds(db)
        times = [timed(lambda q=question: totals(q))[0] for _ in range(rounds)]
        used = (processor_seconds(db) - used) * 1000 / rounds
        key = "partner_id" if question.by_partner or question.partner_id else "NULL"
        text = PLAIN.format(period=period, key=key)
        if question.partner_id:
            text = text.replace(
                "GROUP BY", f"AND partner_id = '{question.partner_id[4:]}' GROUP BY"
            )
        span = {"since": question.since, "until": question.until}
        plain, found = timed(lambda t=text, s=span: db.execute(t, s).fetchall())
        wanted = sorted((units, gross, net) for _, _, _, units, gross, net, _ in found)
        got = sorted((t.units, t.gross, t.net) for t in totals(question))
        row(f"{title} ({used:.0f} ms)", times, plain, same=wanted == got)
    odd = questions()[2][1]
    measure_ranks(store, db, odd, rounds)
    times = [timed(lambda: reasons(store, odd))[0] for _ in range(rounds)]
    text = """
        SELECT kind, reason, sum(amount) FROM sales_entries
        WHERE at >= %(since)s AND at < %(until)s AND kind <> 'placed' GROUP BY 1, 2"""
    span = {"since": odd.since, "until": odd.until}
    plain, found = timed(lambda: db.execute(text, span).fetchall())
    wanted = sorted(amount for _, _, amount in found)
    row("refunds by reason, an odd range", times, plain,
        same=wanted == sorted(total.amount for total in reasons(store, odd)))  # fmt: skip


def reasons(store: PostgresStore, question: SalesQuestion) -> list[Any]:
    """What was taken back."""
    with store.begin() as unit:
        return list(unit.sales.reasons(question))


def measure_ranks(
    store: PostgresStore, db: psycopg.Connection[Any], question: SalesQuestion, rounds: int
) -> None:
    """The best products of an odd range."""

    def ranks() -> list[Any]:
        with store.begin() as unit:
            return list(unit.sales.ranks(question, Ranking()))

    times = [timed(ranks)[0] for _ in range(rounds)]
    text = f"{PLAIN.format(period='NULL', key='product_id')} ORDER BY net DESC LIMIT 10"
    span = {"since": question.since, "until": question.until}
    plain, found = timed(lambda: db.execute(text, span).fetchall())
    same = [r[5] for r in found] == [total.net for total in ranks()]
    row("top 10 of 5,000 products, an odd range", times, plain, same=same)


def roll(store: PostgresStore, db: psycopg.Connection[Any]) -> None:
    """Prints how fast entries are rolled up."""
    with store.begin() as unit:
        unit.sales.complete_to()
    rolled, begun, used = 0, perf_counter(), processor_seconds(db)
    while True:
        with store.begin() as unit:
            more = unit.sales.roll_up(MOST_ROLLED)
        rolled += more
        if not more:
            break
    seconds = perf_counter() - begun
    used = processor_seconds(db) - used
    (rows,) = db.execute("SELECT count(*) FROM sales_blocks").fetchone() or (0,)
    print(
        f"rolled up {rolled:,} entries into {rows:,} rows in {seconds:.1f} s"
        f" ({used:.1f} s of the server's processor time):"
        f" {rolled / seconds:,.0f} a second ({rolled / max(used, 0.01):,.0f})"
    )


def main() -> None:
    """Measures, and prints a row for each question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--year", type=int, default=YEAR)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder) / "database") as conninfo,
        PostgresStore.open(conninfo) as store,
        psycopg.connect(conninfo, autocommit=True) as db,
    ):
        seconds = timed(lambda: fill(db, asked.entries, asked.year))[0] / 1000
        print(f"wrote {asked.entries:,} entries in {seconds:.0f} s")
        roll(store, db)
        db.execute("VACUUM ANALYZE")
        measure(store, db, asked.rounds)


if __name__ == "__main__":
    main()

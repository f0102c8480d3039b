"""Pathway's side: a Python connector that commits once a tick, and a subscriber to the result.

Its idiom: `next` and `delete` for each row, an explicit commit, `on_time_end` when a time is
through. The customers do not change, so they are a static table: as a second live input they would
have to commit along, or time would stand still. The clock runs from the first row of a tick until
its time has ended at the subscriber.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import pandas as pd
import pathway as pw
from workload import TOP, Rows, Source, Workload, answer


class Order(pw.Schema):
    order_id: int = pw.column_definition(primary_key=True)  # `id` is Pathway's own
    key: int
    amount: int


class Feed(pw.io.python.ConnectorSubject):
    """Hands a tick's rows over, waits until its result is out, and takes the time."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.source = Source(workload)
        self.ended = threading.Event()
        self.handed_over = 0
        self.times: dict[int, list[float]] = {size: [] for size, _ in workload.ticks}

    @property
    def _deletions_enabled(self) -> bool:
        return True

    def run(self) -> None:
        self.hand_over(prepare(self.source.content()))
        for tick in self.source.ticks():
            rows = prepare(tick.rows)
            started = time.perf_counter()
            self.hand_over(rows)
            if tick.counts:
                self.times[tick.size].append((time.perf_counter() - started) * 1_000)

    def hand_over(self, rows: list[tuple[bool, dict]]) -> None:
        self.ended.clear()
        self.handed_over += 1
        for is_insert, row in rows:
            if is_insert:
                self.next(**row)
            else:
                self.delete(**row)
        self.commit()
        if not self.ended.wait(300):
            raise RuntimeError("no result in 300 s")


def prepare(rows: Rows) -> list[tuple[bool, dict]]:
    columns = (rows.id.tolist(), rows.key.tolist(), rows.amount.tolist(), rows.diff.tolist())
    return [
        (diff > 0, {"order_id": order_id, "key": key, "amount": amount})
        for order_id, key, amount, diff in zip(*columns, strict=True)
    ]


def result_of(name: str, orders: pw.Table, source: Source) -> pw.Table:
    if name == "group":
        return orders.groupby(pw.this.key).reduce(
            pw.this.key, count=pw.reducers.count(), total=pw.reducers.sum(pw.this.amount)
        )
    if name == "top_k":
        ranked = orders.select(pw.this.key, rank=pw.make_tuple(-pw.this.amount, pw.this.order_id))
        tops = ranked.groupby(pw.this.key).reduce(
            pw.this.key, ranks=pw.reducers.sorted_tuple(pw.this.rank)
        )
        first = pw.apply_with_type(lambda ranks: ranks[:TOP], tuple, pw.this.ranks)
        return tops.select(pw.this.key, top=first)
    keys, regions = source.customers()
    customers = pw.debug.table_from_pandas(pd.DataFrame({"key": keys, "region": regions}))
    joined = orders.join(customers, orders.key == customers.key).select(
        orders.order_id, orders.key, orders.amount, customers.region
    )
    if name == "join":
        return joined
    return joined.groupby(pw.this.region).reduce(
        pw.this.region, count=pw.reducers.count(), total=pw.reducers.sum(pw.this.amount)
    )


def check(name: str, content: dict) -> list[int]:
    rows = list(content.values())
    if name == "join":
        return [len(rows), sum(row["amount"] * (row["region"] + 1) for row in rows)]
    if name == "top_k":
        tops = [[-amount for amount, _ in row["top"]] for row in rows]
        return [sum(map(len, tops)), sum(sum(amounts) ** 2 for amounts in tops)]
    return [len(rows), sum(row["total"] ** 2 for row in rows)]


def main(workload: Workload, keep: bool) -> None:
    feed = Feed(workload)
    orders = pw.io.python.read(feed, schema=Order, autocommit_duration_ms=None)
    result = result_of(workload.name, orders, feed.source)
    content: dict = {}
    ended: list[int] = []

    def on_change(key: pw.Pointer, row: dict, time: int, is_addition: bool) -> None:
        if keep:  # only when checking: it is work that the workload does not ask for
            if is_addition:
                content[key] = row
            elif content.get(key) == row:
                del content[key]

    def on_time_end(time: int) -> None:
        ended.append(time)
        feed.ended.set()

    pw.io.subscribe(result, on_change=on_change, on_time_end=on_time_end)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    if keep:
        # One end of time for each tick: or what is measured were not the tick's.
        assert len(ended) == feed.handed_over, f"{len(ended)} times of {feed.handed_over} ticks"
        expected = answer(feed.source, workload.name)
        found = check(workload.name, content)
        assert found == expected, f"{found} is not {expected}"
    print(json.dumps({"version": pw.__version__, "times_ms": feed.times}))


if __name__ == "__main__":
    main(Workload.from_json(sys.argv[1]), keep="--check" in sys.argv)

"""Deephaven's side: a keyed input table in an embedded server, and a listener on the result.

Its idiom: columns handed over as tables, `delete_async` and `add_async` by key, update cycles as
short as it allows (its default is one a second). The clock runs from the moment the prepared tables
are handed over until the result's last listener call of that tick.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from deephaven_server import Server
from workload import TOP, Rows, Source, Tick, Workload, answer

HEAP = "-Xmx6g"
PORT = 0  # any that is free


def start() -> Server:
    home = Path(__file__).resolve().parent / ".cache"
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    server = Server(
        port=PORT,
        jvm_args=[
            HEAP,
            f"-Duser.home={home}",  # its caches stay here
            f"-Djna.tmpdir={home}/tmp",
            "-DAuthHandlers=io.deephaven.auth.AnonymousAuthenticationHandler",
            "-DPeriodicUpdateGraph.targetCycleDurationMillis=1",
        ],
    )
    server.start()
    return server


class Side:
    """The input table, the result and its clock."""

    def __init__(self, workload: Workload) -> None:
        from deephaven import dtypes, input_table
        from deephaven.execution_context import get_exec_ctx
        from deephaven.table_listener import listen

        self.workload = workload
        self.source = Source(workload)
        columns = {name: dtypes.int64 for name in ("order_id", "key", "amount")}
        self.orders = input_table(col_defs=columns, key_cols="order_id")
        self.updates = get_exec_ctx().update_graph
        self.orders.add(self.table_of(self.source.content(), 1))
        self.result = self.result_of(workload.name)
        self.last = 0.0
        self.handle = listen(self.result, self.on_update)

    def on_update(self, update: Any, is_replay: bool) -> None:
        """The change is out when its values are, as on every other side: a join's are lazy here."""
        for values in (update.added, update.removed, update.modified):
            values()
        self.last = time.perf_counter()

    def table_of(self, rows: Rows, diff: int) -> Any:
        from deephaven import new_table
        from deephaven.column import long_col

        chosen = rows.diff == diff
        names = {"order_id": rows.id, "key": rows.key, "amount": rows.amount}
        return new_table([long_col(name, values[chosen]) for name, values in names.items()])

    def result_of(self, name: str) -> Any:
        from deephaven import agg, new_table
        from deephaven.column import long_col

        totals = [agg.count_("n"), agg.sum_("total=amount")]
        if name == "group":
            return self.orders.agg_by(totals, by="key")
        if name == "top_k":
            ranked = self.orders.sort_descending("amount")
            return ranked.head_by(TOP, by="key")
        keys, regions = self.source.customers()
        customers = new_table([long_col("key", keys), long_col("region", regions)])
        # Every order has exactly one customer: the form of join that is made for that.
        joined = self.orders.natural_join(customers, on="key", joins="region")
        return joined if name == "join" else joined.agg_by(totals, by="region")

    def run(self, tick: Tick) -> float:
        """Milliseconds until the result has both halves of the tick."""
        from deephaven.update_graph import shared_lock

        gone, new = self.table_of(tick.rows, -1).select("order_id"), self.table_of(tick.rows, 1)
        both = threading.Semaphore(0)
        started = time.perf_counter()
        self.orders.delete_async(gone, on_success=both.release)
        self.orders.add_async(new, on_success=both.release)
        for _ in range(2):
            if not both.acquire(timeout=300):
                raise RuntimeError("no result in 300 s")
        # The callbacks may come before the listener's call: a cycle holds this lock to its end.
        with shared_lock(self.updates):
            pass
        return (self.last - started) * 1_000

    def check(self) -> list[int]:
        from deephaven import numpy as to_numpy

        name = self.workload.name
        columns = {
            column: to_numpy.to_numpy(self.result, [column])[:, 0]
            for column in self.result.definition
        }
        if name == "join":
            return [self.result.size, int((columns["amount"] * (columns["region"] + 1)).sum())]
        if name == "top_k":
            import numpy as np

            totals = np.bincount(columns["key"], columns["amount"]).astype(np.int64)
            return [self.result.size, int((totals**2).sum())]
        return [self.result.size, int((columns["total"] ** 2).sum())]


def main(workload: Workload, checks: bool) -> None:
    start()
    side = Side(workload)
    times: dict[int, list[float]] = {size: [] for size, _ in workload.ticks}
    for tick in side.source.ticks():
        taken = side.run(tick)
        if tick.counts:
            times[tick.size].append(taken)
    if checks:
        found, expected = side.check(), answer(side.source, workload.name)
        assert found == expected, f"{found} is not {expected}"
    version = importlib.metadata.version("deephaven-server")
    print(json.dumps({"version": version, "times_ms": times}), flush=True)


if __name__ == "__main__":
    main(Workload.from_json(sys.argv[1]), checks="--check" in sys.argv)

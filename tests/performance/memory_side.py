"""What an arranged table weighs: resident bytes that a trace of it adds to a process."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from antiphon.protocol.frontier import START, Frontier
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from tests.performance.engine_side import ORDERS_SCHEMA
from tests.performance.workload import AMOUNT_MAX, Workload

CHUNK_ROWS = 500_000
FUEL_ROWS = 10_000_000


def resident_bytes() -> int:
    gc.collect()
    pa.default_memory_pool().release_unused()
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024
    raise OSError("no VmRSS in /proc/self/status")


def insert(trace: Trace, time: int, workload: Workload) -> None:
    random = np.random.default_rng(workload.seed + time)
    ids = np.arange((time - 1) * CHUNK_ROWS, time * CHUNK_ROWS)
    columns = (ids, random.integers(0, workload.keys, CHUNK_ROWS),
               random.integers(0, AMOUNT_MAX, CHUNK_ROWS))  # fmt: skip
    rows = Zset(tuple(pa.array(c) for c in columns), np.ones(CHUNK_ROWS, np.int64))
    trace.insert(trace.upper, Frontier(time + 1), [(time, rows)])
    trace.allow_compaction(Frontier(time))


def main(workload: Workload) -> None:
    warm = Trace(ORDERS_SCHEMA, (1,), START)  # imports and caches are not the table's
    insert(warm, 1, workload)
    del warm
    before = resident_bytes()
    trace = Trace(ORDERS_SCHEMA, (1,), START)
    for time in range(1, workload.orders // CHUNK_ROWS + 1):
        insert(trace, time, workload)
        while trace.maintain(FUEL_ROWS):
            pass
    taken = resident_bytes() - before
    assert trace.row_count == workload.orders, f"{trace.row_count} rows"
    arrow_bytes = 3 * 8 * workload.orders
    print(json.dumps({"resident_bytes": taken, "arrow_bytes": arrow_bytes}))


if __name__ == "__main__":
    main(Workload.from_json(sys.argv[1]))

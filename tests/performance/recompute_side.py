"""DuckDB's side: the join and group-by from scratch over tables that it holds in memory."""

from __future__ import annotations

import json
import sys
import time

import duckdb
import pyarrow as pa

from tests.performance.workload import Source, Workload

QUERY = """
    SELECT region, count(*), sum(amount)
    FROM orders JOIN customers USING (key)
    GROUP BY region
"""
RUNS = 15
WARM_UP_RUNS = 3


def main(workload: Workload) -> None:
    source = Source(workload)
    keys, regions = source.customers()
    content = source.content()
    database = duckdb.connect()
    orders = pa.table({"id": content.id, "key": content.key, "amount": content.amount})
    customers = pa.table({"key": keys, "region": regions})
    database.register("arrow_orders", orders)
    database.register("arrow_customers", customers)
    database.execute("CREATE TABLE orders AS SELECT * FROM arrow_orders")
    database.execute("CREATE TABLE customers AS SELECT * FROM arrow_customers")
    times = []
    for number in range(WARM_UP_RUNS + RUNS):
        started = time.perf_counter()
        database.execute(QUERY).to_arrow_table()
        if number >= WARM_UP_RUNS:
            times.append((time.perf_counter() - started) * 1_000)
    print(json.dumps({"version": duckdb.__version__, "times_ms": {workload.orders: times}}))


if __name__ == "__main__":
    main(Workload.from_json(sys.argv[1]))

"""Our engine's side: a dataflow, and ticks through it. One process, one thread.

A tick is handed over as Arrow columns, as a replica receives it. The clock runs over the step that
gives the result's change, and over the share of merging that a replica does after each step. With
`--thread` it counts the time of the thread alone, which a busy machine does not change as much.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Distinct,
    Get,
    Join,
    JoinKind,
    MapFilterProject,
    Plan,
    Reduce,
    SortKey,
    TopK,
    Window,
    WindowFunction,
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.scheduling.computation import MERGED_EACH
from tests.performance.workload import TOP, Rows, Source, Workload, answer

ORDERS, CUSTOMERS = CollectionId(1), CollectionId(2)
ORDERS_SCHEMA: Final = Schema(
    tuple(Column(name=name, type=INT64, nullable=False) for name in ("id", "key", "amount"))
)
CUSTOMERS_SCHEMA: Final = Schema(
    tuple(Column(name=name, type=INT64, nullable=False) for name in ("key", "region"))
)
FUEL_ROWS: Final = 65_536


def column(index: int) -> ColumnReference:
    return ColumnReference(index=index, type=INT64)


def totals(plan: Plan, key: int, amount: int) -> Plan:
    """count(*) and sum(amount) by a column."""
    count = Aggregate(function=AggregateFunction.COUNT, arguments=(), type=INT64)
    total = Aggregate(function=AggregateFunction.SUM, arguments=(column(amount),), type=INT64)
    return Reduce(input=plan, keys=(column(key),), aggregates=(count, total))


def plan_of(name: str) -> Plan:
    orders = Get(collection=ORDERS, schema=ORDERS_SCHEMA)
    if name == "group":
        return totals(orders, key=1, amount=2)
    if name == "extremes":
        functions = (AggregateFunction.MIN, AggregateFunction.MAX)
        extremes = [Aggregate(function=f, arguments=(column(2),), type=INT64) for f in functions]
        return Reduce(input=orders, keys=(column(1),), aggregates=tuple(extremes))
    if name == "distinct":
        pairs = MapFilterProject(input=orders, maps=(), filters=(), project=(1, 2))
        return Distinct(input=pairs)
    if name == "window":
        number = WindowFunction(name="row_number", arguments=(), type=INT64)
        by_amount = (SortKey(column=2), SortKey(column=0))
        return Window(input=orders, partition_by=(1,), order_by=by_amount, functions=(number,))
    if name == "top_k":
        order = (SortKey(column=2, descending=True), SortKey(column=0))
        return TopK(input=orders, group_by=(1,), order_by=order, limit=TOP)
    customers = Get(collection=CUSTOMERS, schema=CUSTOMERS_SCHEMA)
    join = Join(
        kind=JoinKind.INNER,
        left=orders,
        right=customers,
        left_keys=(column(1),),
        right_keys=(column(0),),
    )
    joined = MapFilterProject(input=join, maps=(), filters=(), project=(0, 1, 2, 4))
    return joined if name == "join" else totals(joined, key=3, amount=2)


def zset(rows: Rows) -> Zset:
    columns = (pa.array(rows.id), pa.array(rows.key), pa.array(rows.amount))
    return Zset(columns, rows.diff, is_distinct=True)  # as the store hands changes out


def build(workload: Workload, source: Source) -> tuple[Dataflow, Zset]:
    """The dataflow with its first content in, and that step's output."""
    plan = plan_of(workload.name)
    imports = {ORDERS: ImportSpec(schema=ORDERS_SCHEMA)}
    content = {ORDERS: zset(source.content())}
    if workload.name.startswith("join"):
        imports[CUSTOMERS] = ImportSpec(schema=CUSTOMERS_SCHEMA)
        keys, regions = source.customers()
        ones = np.ones(len(keys), np.int64)
        content[CUSTOMERS] = Zset((pa.array(keys), pa.array(regions)), ones)
    dataflow = Dataflow.build(plan, imports)
    first = dataflow.step(1, content)
    while dataflow.maintain(FUEL_ROWS * 16):
        pass
    return dataflow, first


def check(name: str, outputs: list[Zset], dataflow: Dataflow) -> list[int]:
    """The workload's answer, from the sum of all output changes."""
    result = Zset.concat(dataflow.schema, outputs).consolidated()
    assert result.errors is None, "the output has errors"
    assert (result.diffs == 1).all(), "the output is no set"
    columns = [np.asarray(c) for c in result.columns]
    if name == "join":
        return [result.row_count, int((columns[2] * (columns[3] + 1)).sum())]
    if name == "top_k":
        sums = np.bincount(columns[1], columns[2]).astype(np.int64)
        return [result.row_count, int((sums**2).sum())]
    return [result.row_count, int((columns[2].astype(np.int64) ** 2).sum())]


def main(workload: Workload, *, checks: bool, clock: Callable[[], float]) -> None:
    source = Source(workload)
    started = time.perf_counter()
    dataflow, first = build(workload, source)
    load_ms = (time.perf_counter() - started) * 1_000
    times: dict[int, list[float]] = {size: [] for size, _ in workload.ticks}
    outputs = [first] if checks else []
    del first
    for number, tick in enumerate(source.ticks(), 2):
        change = {ORDERS: zset(tick.rows)}
        started = clock()
        output = dataflow.step(number, change)
        dataflow.maintain(max(FUEL_ROWS, MERGED_EACH * (tick.size + output.row_count)))
        taken = (clock() - started) * 1_000
        if tick.counts:
            times[tick.size].append(taken)
        if checks:
            outputs.append(output)
    if checks:
        found, expected = check(workload.name, outputs, dataflow), answer(source, workload.name)
        assert found == expected, f"{found} is not {expected}"
    print(json.dumps({"times_ms": times, "load_ms": load_ms, "state_rows": dataflow.state_rows}))


if __name__ == "__main__":
    main(
        Workload.from_json(sys.argv[1]),
        checks="--check" in sys.argv,
        clock=time.thread_time if "--thread" in sys.argv else time.perf_counter,
    )

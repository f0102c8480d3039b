"""Bytewax's side: keyed stateful steps over batches, retractions written by hand.

Its idiom: streams of (key, value), state in a logic object for each key, `stateful_batch` so that a
key's values of one batch come in one call. Deletes are not part of its model: values carry a sign,
and each logic takes them back itself. The clock runs from the moment the source hands a batch over
until the sink has seen everything that came of it.
"""

from __future__ import annotations

import bisect
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from workload import TOP, Rows, Source, Tick, Workload, answer

LOAD_BATCH_ROWS = 10_000
Item = tuple[str, tuple]


class Progress:
    """What is under way: how many input items have not come out yet, and when they went in."""

    def __init__(self, workload: Workload) -> None:
        self.source = Source(workload)
        self.left = 0
        self.started = 0.0
        self.tick: Tick | None = None
        self.times: dict[int, list[float]] = {size: [] for size, _ in workload.ticks}

    def batches(self, has_customers: bool) -> Iterator[tuple[Tick | None, list[Item]]]:
        if has_customers:
            keys, regions = self.source.customers()
            yield (
                None,
                [
                    (str(key), (0, 0, region))
                    for key, region in zip(keys.tolist(), regions.tolist(), strict=True)
                ],
            )
        content = items_of(self.source.content())
        for start in range(0, len(content), LOAD_BATCH_ROWS):
            yield None, content[start : start + LOAD_BATCH_ROWS]
        for tick in self.source.ticks():
            yield tick, items_of(tick.rows)

    def arrived(self, count: int) -> None:
        self.left -= count
        if self.left == 0 and self.tick is not None and self.tick.counts:
            self.times[self.tick.size].append((time.perf_counter() - self.started) * 1_000)


def items_of(rows: Rows) -> list[Item]:
    columns = (rows.id.tolist(), rows.key.tolist(), rows.amount.tolist(), rows.diff.tolist())
    return [(str(key), (diff, id, amount)) for id, key, amount, diff in zip(*columns, strict=True)]


class Hand(StatelessSourcePartition):
    def __init__(self, progress: Progress, batches: Iterator) -> None:
        self.progress = progress
        self.batches = batches

    def next_batch(self) -> list[Item]:
        if self.progress.left:
            return []
        self.progress.tick, items = next(self.batches, (None, None))
        if items is None:
            raise StopIteration
        self.progress.left = len(items)
        self.progress.started = time.perf_counter()
        return items


class Input(DynamicSource):
    def __init__(self, make: Callable[[], Hand]) -> None:
        self.make = make

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Hand:
        return self.make()


class Out(StatelessSinkPartition):
    """Each item is (key, (input items that it answers, ...))."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def write_batch(self, items: list) -> None:
        self.progress.arrived(sum(value[0] for _, value in items))


class Output(DynamicSink):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Out:
        return Out(self.progress)


class Logic(StatefulBatchLogic):
    """Keeps itself in `kept`, so that a check can look at the state in the end."""

    kept: ClassVar[dict[int, Any]] = {}

    def __init__(self) -> None:
        self.kept[id(self)] = self

    def snapshot(self) -> None:
        return None


class Totals(Logic):
    def __init__(self) -> None:
        super().__init__()
        self.count = self.total = 0

    def on_batch(self, values: list[tuple]) -> tuple[list, bool]:
        for diff, _, amount in values:
            self.count += diff
            self.total += diff * amount
        return [(len(values), self.count, self.total)], False


class Join(Logic):
    """Both sides are kept: either may change, as far as a join knows."""

    def __init__(self) -> None:
        super().__init__()
        self.region: int | None = None
        self.orders: dict[int, int] = {}

    def on_batch(self, values: list[tuple]) -> tuple[list, bool]:
        out = []
        for diff, order, amount in values:
            if diff == 0:
                self.region = amount
                out.extend((1, 1, id, amount, self.region) for id, amount in self.orders.items())
                out.append((1 - len(self.orders), 0, 0, 0, 0))
                continue
            if diff > 0:
                self.orders[order] = amount
            else:
                del self.orders[order]
            out.append((1, diff, order, amount, self.region))
        return out, False


class RegionTotals(Logic):
    def __init__(self) -> None:
        super().__init__()
        self.count = self.total = 0

    def on_batch(self, values: list[tuple]) -> tuple[list, bool]:
        answered = 0
        for items, diff, _, amount, _ in values:
            answered += items
            self.count += diff
            self.total += diff * amount
        return [(answered, self.count, self.total)], False


class Tops(Logic):
    def __init__(self) -> None:
        super().__init__()
        self.ranks: list[tuple[int, int]] = []

    def on_batch(self, values: list[tuple]) -> tuple[list, bool]:
        before = self.ranks[:TOP]
        for diff, order, amount in values:
            rank = (-amount, order)
            if diff > 0:
                bisect.insort(self.ranks, rank)
            else:
                del self.ranks[bisect.bisect_left(self.ranks, rank)]
        after = self.ranks[:TOP]
        return [(len(values), before, after) if before != after else (len(values),)], False


def steps(name: str, items: Any) -> Any:
    if name == "group":
        return op.stateful_batch("group", items, lambda _: Totals())
    if name == "top_k":
        return op.stateful_batch("top_k", items, lambda _: Tops())
    joined = op.stateful_batch("join", items, lambda _: Join())
    if name == "join":
        return joined
    by_region = op.map("region", joined, lambda item: (str(item[1][4]), item[1]))
    return op.stateful_batch("totals", by_region, lambda _: RegionTotals())


def check(name: str) -> list[int]:
    logics = list(Logic.kept.values())
    if name == "join":
        rows = [(amount, logic.region) for logic in logics for amount in logic.orders.values()]
        return [len(rows), sum(amount * (region + 1) for amount, region in rows)]
    if name == "top_k":
        tops = [[-amount for amount, _ in logic.ranks[:TOP]] for logic in logics]
        return [sum(map(len, tops)), sum(sum(amounts) ** 2 for amounts in tops)]
    totals = [logic.total for logic in logics if not isinstance(logic, Join) and logic.count]
    return [len(totals), sum(total**2 for total in totals)]


def main(workload: Workload, checks: bool) -> None:
    progress = Progress(workload)
    has_customers = workload.name.startswith("join")
    flow = Dataflow("bench")
    items = op.input("in", flow, Input(lambda: Hand(progress, progress.batches(has_customers))))
    op.output("out", steps(workload.name, items), Output(progress))
    run_main(flow)
    if checks:
        found, expected = check(workload.name), answer(progress.source, workload.name)
        assert found == expected, f"{found} is not {expected}"
    version = importlib.metadata.version("bytewax")
    print(json.dumps({"version": version, "times_ms": progress.times}))


if __name__ == "__main__":
    main(Workload.from_json(sys.argv[1]), checks="--check" in sys.argv)

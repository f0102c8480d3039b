"""Subscribes: contiguous batches, one end, then silence."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from antiphon.protocol.command import (
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    SubscribeExport,
)
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.response import (
    Dropped,
    SubscribeDropped,
    SubscribeResponse,
)
from tests.replica.bench import (
    Bench,
    S,
    compact,
    filled,
    schedule,
    total,
)
from tests.replica.scripted import (
    CONSTANT,
    TABLE,
    at,
    dataflow,
    dividing,
    get,
)


def test_40_a_subscribe_is_contiguous_from_the_beginning() -> None:
    bench = filled()
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((1, "a"), -1), ((4, "d"), 1))
    bench.tick(31, ((5, "e"), 1))
    batches = bench.batches(S)
    assert batches[0].lower == at(0)
    assert all(a.upper == b.lower for a, b in pairwise(batches))
    assert all(batch.lower.less_than(batch.upper) for batch in batches)
    assert batches[-1].upper == at(32)
    for time in (15, 29, 30, 31):
        assert total(batches, time) == bench.store.content(TABLE, time)


def test_a_resumed_subscribe_sends_only_what_follows() -> None:
    bench = filled()
    export = SubscribeExport(with_snapshot=False)
    bench.send(dataflow((S, export), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    assert total(bench.batches(S), 30) == Counter({(4, "d"): 1})
    assert bench.batches(S)[0].lower == at(0)


def test_41_a_dropped_subscribe_says_so_once_and_then_nothing() -> None:
    bench = filled()
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    last = bench.batches(S)[-1].upper
    bench.take()
    bench.send(compact(S, None))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    about = [r for r in bench.responses if getattr(r, "collection", None) == S]
    assert about == [
        SubscribeResponse(collection=S, result=SubscribeDropped(at=last)),
        Dropped(collection=S),
    ]


def test_42_a_finished_subscribe_has_had_its_last_word() -> None:
    bench = Bench()
    bench.connect(
        dataflow((S, SubscribeExport()), imports=(), plan=CONSTANT, as_of=15), schedule(S)
    )
    bench.run()
    assert bench.batches(S)[-1].upper == CLOSED
    bench.take()
    bench.send(compact(S, None))
    bench.run()
    assert bench.responses == [Dropped(collection=S)]


def test_43_a_batch_that_is_too_large_is_a_final_failure_with_valid_bounds() -> None:
    bench = filled()
    bench.send(UpdateConfiguration(values={"subscribe_bytes_max": "1"}))
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    (batch,) = bench.batches(S)
    assert batch.failure is not None
    assert batch.failure.code == "limit_exceeded"
    assert batch.lower.less_than(batch.upper)
    bench.send(compact(S, None))
    bench.run()
    assert bench.dropped() == [S]


def test_a_data_error_ends_a_subscribe() -> None:
    bench = filled()
    export = dataflow((S, SubscribeExport()), plan=dividing(get(TABLE), 6), as_of=15)
    bench.send(export, schedule(S))
    bench.run()
    bench.tick(30, ((0, "zero"), 1))
    assert bench.batches(S)[-1].failure is not None
    count = len(bench.batches(S))
    bench.tick(31, ((0, "zero"), -1))
    assert len(bench.batches(S)) == count

"""Commands that cannot be done are answered or end the session; the rest has tests of its own."""

from __future__ import annotations

from antiphon.protocol.dataflow import (
    CopyToExport,
    SubscribeExport,
)
from antiphon.protocol.response import (
    CopyToResponse,
    Failure,
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.ports import EndSession
from tests.replica.bench import (
    J,
    S,
    X,
    compact,
    filled,
    schedule,
)
from tests.replica.scripted import (
    at,
    dataflow,
    index,
    index_import,
    peek_id,
    read_index,
)


def test_21_a_command_about_nothing_ends_the_session_and_changes_nothing() -> None:
    bench = filled()
    bench.send(schedule(99))
    assert isinstance(bench.requests[-1], EndSession)
    bench.send(compact(X, None))
    bench.run()
    assert not bench.dropped(), "nothing counts after it"


def test_a_dataflow_that_cannot_run_says_so_to_whoever_reads_it() -> None:
    bench = filled()
    other = Schema((Column(name="k", type=INT64), Column(name="v", type=INT64)))
    bench.send(index(J, schema=other, as_of=15), schedule(J), read_index(1, J, 15))
    bench.run()
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "invalid_argument"
    bench.send(dataflow((S, SubscribeExport()), schema=other, as_of=15), schedule(S))
    bench.run()
    (batch,) = bench.batches(S)
    assert batch.failure is not None
    assert (batch.lower, batch.upper) == (at(0), at(16))
    bench.send(compact(J, None), compact(S, None))
    bench.run()
    assert sorted(bench.dropped()) == [J, S]


def test_a_copy_to_that_cannot_run_is_answered_with_why() -> None:
    bench = filled()
    kind = CopyToExport(uri="x", format="parquet")
    bench.send(dataflow((S, kind), imports=(index_import(J),), as_of=15), schedule(S))
    bench.run()
    (answer,) = [r for r in bench.responses if isinstance(r, CopyToResponse)]
    assert isinstance(answer.result, Failure)
    assert answer.result.code == "collection_missing"
    assert bench.files == []

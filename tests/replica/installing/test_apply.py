"""Commands that cannot be done are answered or end the session; the rest has tests of its own."""

from __future__ import annotations

from antiphon.protocol.command import UpdateConfiguration
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
    counted,
    filled,
    schedule,
)
from tests.replica.scripted import (
    TABLE,
    at,
    dataflow,
    index,
    index_import,
    peek_id,
    read_index,
)


def test_a_replica_that_holds_all_it_may_refuses_new_dataflows_and_goes_on() -> None:
    bench = filled()
    bench.send(UpdateConfiguration(values={"state_bytes_max": "1"}))
    bench.send(index(20, as_of=15), schedule(20))
    bench.run()
    bench.send(read_index(1, 20, 15), read_index(2, X, 15))
    refused = bench.answers()[peek_id(1)]
    assert isinstance(refused, Failure)
    assert refused.code == "limit_exceeded"
    assert "ALTER SYSTEM SET state_bytes_max" in refused.message
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 15)
    bench.send(UpdateConfiguration(values={"state_bytes_max": "default"}))
    bench.send(index(21, as_of=15), schedule(21))
    bench.run()
    bench.send(read_index(3, 21, 15))
    assert counted(bench.answers()[peek_id(3)]) == bench.store.content(TABLE, 15)


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

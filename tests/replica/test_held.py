"""What outlives a connection, and what does not."""

from __future__ import annotations

from antiphon.protocol.dataflow import (
    SubscribeExport,
)
from antiphon.protocol.response import (
    Dropped,
)
from tests.replica.bench import (
    S,
    X,
    filled,
    schedule,
)
from tests.replica.scripted import (
    at,
    dataflow,
    index,
    peek_id,
    read_index,
)


def test_dataflows_run_on_while_nobody_is_connected() -> None:
    bench = filled()
    bench.disconnect()
    bench.take()
    bench.tick(30, ((4, "d"), 1))
    assert not bench.responses
    dataflow_ = bench.worker._held.installed.dataflows[0]
    assert dataflow_.frontier == at(31)


def test_61_what_a_full_set_leaves_out_is_gone_without_a_word() -> None:
    bench = filled()
    bench.take()
    bench.connect()
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    assert not bench.responses
    assert bench.opened()[-1].collections == {}, "the tail is closed"


def test_62_waiting_peeks_die_with_their_connection() -> None:
    bench = filled()
    bench.send(read_index(1, X, 40), read_index(2, X, 40))
    bench.disconnect()
    bench.connect(index(X), schedule(X), read_index(2, X, 40))
    bench.run()
    bench.tick(40, ((4, "d"), 1))
    assert list(bench.answers()) == [peek_id(2)]


def test_63_a_subscribe_starts_over_on_a_new_connection() -> None:
    bench = filled()
    subscribe = dataflow((S, SubscribeExport()), as_of=15)
    bench.send(subscribe, schedule(S))
    bench.run()
    bench.take()
    bench.connect(index(X), schedule(X), subscribe, schedule(S))
    bench.run()
    first, *_ = bench.batches(S)
    assert first.lower == at(0)
    assert not [r for r in bench.responses if isinstance(r, Dropped)]

"""A profile tells what operators have done since the content was loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from antiphon.protocol.command import IndexTarget
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.profile import PROFILE
from antiphon.protocol.response import Failure, PeekRows
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.zset import Zset
from antiphon.replica.render import specs_of
from tests.replica.bench import Bench, X, filled, rows_of
from tests.replica.scripted import TABLE, get, peek_id, read_index, table


def profiled(bench: Bench, number: int, time: int) -> dict[str, dict[str, object]]:
    """The profile of X's operators, by name."""
    peek = read_index(number, X, time, schema=PROFILE)
    bench.send(replace(peek, target=IndexTarget(collection=CollectionId(X), profile=True)))
    names = [column.name for column in PROFILE.columns]
    (answer,) = [a for i, a in bench.answers().items() if i == peek_id(number)]
    assert isinstance(answer, PeekRows)
    rows = [dict(zip(names, row, strict=True)) for row in rows_of(answer.batches, PROFILE)]
    return {str(row["name"]): row for row in rows}


def test_a_profile_tells_what_was_loaded_from_what_changed() -> None:
    bench = filled()
    before = profiled(bench, 1, 15)
    content = sum(bench.store.content(TABLE, 15).values())
    assert before["source"]["loaded_rows"] == content
    assert before["source"]["rows_in"] == 0
    bench.tick(30, ((1, "a"), -1))
    bench.tick(31, ((8, "h"), 1), ((9, "i"), 1))
    after = profiled(bench, 2, 31)
    assert after["source"]["loaded_rows"] == content
    assert after["source"]["rows_in"] == 3, "nothing is computed from scratch"
    kept = after[f"kept as {show(CollectionId(X))}"]
    assert kept["rows_in"] == 3
    assert kept["state_rows"] == content + 3


def test_a_profile_waits_as_any_read_does_and_takes_no_keys() -> None:
    bench = filled()
    peek = read_index(1, X, 30, schema=PROFILE)
    bench.send(replace(peek, target=IndexTarget(collection=CollectionId(X), profile=True)))
    assert not bench.answers()
    wrong = IndexTarget(collection=CollectionId(X), keys=b"x", profile=True)
    bench.send(replace(read_index(2, X, 15), target=wrong))
    answer = bench.answers()[peek_id(2)]
    assert isinstance(answer, Failure)
    assert answer.code == "invalid_argument"
    bench.tick(30, ((1, "a"), -1))
    assert peek_id(1) in bench.answers()


def test_the_clock_is_the_callers() -> None:
    ticks = iter(range(0, 10_000_000_000, 1_000_000))
    flow = Dataflow.build(get(TABLE), specs_of([table()]), lambda: next(ticks))
    flow.step(1, {})
    change = Zset((pa.array([1]), pa.array(["a"])), np.ones(1, np.int64))
    flow.step(2, {TABLE: change})
    assert [counters.ticks for counters in flow.counters()] == [1_000_000]

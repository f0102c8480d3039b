"""A profile tells what operators have done since the content was loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from antiphon.protocol.command import IndexTarget
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject
from antiphon.protocol.profile import PROFILE
from antiphon.protocol.response import Failure, PeekRows
from antiphon.protocol.schema import INT64
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.installing.render import specs_of
from tests.replica.bench import Bench, J, S, X, filled, rows_of, schedule
from tests.replica.scripted import TABLE, above, get, index, peek_id, read_index, table


def profiled(
    bench: Bench, number: int, time: int, collection: CollectionId = X
) -> dict[str, dict[str, object]]:
    """The profile of its operators, by name."""
    peek = read_index(number, collection, time, schema=PROFILE)
    bench.send(replace(peek, target=IndexTarget(collection=collection, profile=True)))
    names = [column.name for column in PROFILE.columns]
    (answer,) = [a for i, a in bench.answers().items() if i == peek_id(number)]
    assert isinstance(answer, PeekRows)
    rows = [dict(zip(names, row, strict=True)) for row in rows_of(answer.batches, PROFILE)]
    return {str(row["name"]): row for row in rows}


def test_a_profile_tells_what_was_loaded_from_what_changed() -> None:
    bench = filled(above(get(TABLE), 0))
    before = profiled(bench, 1, 15)
    content = sum(bench.store.content(TABLE, 15).values())
    assert before[f"source {show(TABLE)}"]["loaded_rows"] == content
    assert before[f"source {show(TABLE)}"]["rows_in"] == 0
    bench.tick(30, ((1, "a"), -1))
    bench.tick(31, ((8, "h"), 1), ((9, "i"), 1))
    after = profiled(bench, 2, 31)
    assert after[f"source {show(TABLE)}"]["loaded_rows"] == content
    assert after[f"source {show(TABLE)}"]["rows_in"] == 3, "nothing is computed from scratch"
    kept = after[f"kept as {show(CollectionId(X))}"]
    assert kept["rows_in"] == 3
    assert kept["state_rows"] == content + 3


def test_what_several_look_up_is_told_once_with_its_readers() -> None:
    bench = filled()
    kept = f"kept as {show(CollectionId(X))}"
    alone = profiled(bench, 1, 15)[f"{kept}, read by it alone"]
    assert alone["state_rows"] == 3
    key = (ColumnReference(index=0, type=INT64),)
    join = Join(kind=JoinKind.INNER, left=get(TABLE), right=get(TABLE), left_keys=key,
                right_keys=key)  # fmt: skip
    plan = MapFilterProject(input=join, maps=(), filters=(), project=(0, 3))
    bench.send(index(J, plan=plan), schedule(J))
    bench.run()
    assert profiled(bench, 2, 15)[f"{kept}, shared by 2"]["state_rows"] == 3
    join_profile = profiled(bench, 3, 15, J)
    assert join_profile[f"arrange of {show(TABLE)}, shared by 2"]["state_rows"] == 3


def test_of_what_is_filtered_first_the_selected_rows_are_shared() -> None:
    bench = filled()
    key = (ColumnReference(index=0, type=INT64),)
    for view in (J, S):
        join = Join(kind=JoinKind.INNER, left=above(get(TABLE), 1), right=get(TABLE),
                    left_keys=key, right_keys=key)  # fmt: skip
        plan = MapFilterProject(input=join, maps=(), filters=(), project=(0, 3))
        bench.send(index(view, plan=plan), schedule(view))
    bench.run()
    found = profiled(bench, 1, 15, J)
    assert found[f"arrange selected rows of {show(TABLE)}, shared by 2"]["state_rows"] == 2
    assert found[f"arrange of {show(TABLE)}, shared by 3"]["state_rows"] == 3


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

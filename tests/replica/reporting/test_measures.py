"""What heartbeats tell of arrangements."""

from __future__ import annotations

import pytest

from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject
from antiphon.protocol.response import ArrangementState
from antiphon.protocol.schema import INT64
from antiphon.protocol.selection import selection_of
from antiphon.replica.reporting import measures
from antiphon.replica.reporting.measures import MEASURE_INTERVAL_MS
from tests.replica.bench import Bench, J, X, counted, filled, schedule
from tests.replica.scripted import TABLE, above, get, index, peek_id, read_index


def told(bench: Bench) -> tuple[ArrangementState, ...]:
    progress = bench.worker._progress
    assert progress is not None
    return progress.arrangements


def test_an_arrangement_is_told_once_with_all_its_readers() -> None:
    bench = filled()
    bench.send(index(J, plan=get(TABLE)), schedule(J))
    bench.run()
    bench.wait(MEASURE_INTERVAL_MS)
    (found,) = told(bench)
    assert (found.collection, found.key_columns, found.column_count) == (TABLE, (0,), 2)
    assert (found.row_count, found.reader_count) == (3, 2)
    assert found.byte_count > 0


def test_what_changed_is_told_a_second_later_at_the_latest() -> None:
    bench = filled()
    bench.wait(MEASURE_INTERVAL_MS)
    bench.tick(30, ((8, "h"), 1))
    assert [one.row_count for one in told(bench)] == [3]
    for _ in range(4):
        bench.wait(MEASURE_INTERVAL_MS // 4)
    assert [one.row_count for one in told(bench)] == [4]
    assert bench.last.wake_at_ms is None, "then there is nothing to come again for"


def test_of_many_the_largest_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "ARRANGEMENTS_TOLD_MAX", 1)
    bench = filled()
    bench.wait(MEASURE_INTERVAL_MS)
    assert len(told(bench)) == 1


def test_what_is_selected_is_told_beside_the_whole() -> None:
    bench = filled()
    key = (ColumnReference(index=0, type=INT64),)
    large = above(get(TABLE), 1)
    join = Join(kind=JoinKind.INNER, left=large, right=get(TABLE), left_keys=key, right_keys=key)
    plan = MapFilterProject(input=join, maps=(), filters=(), project=(0, 3))
    bench.send(index(J, plan=plan), schedule(J))
    bench.run()
    bench.wait(MEASURE_INTERVAL_MS)
    whole, selected = told(bench)
    assert (whole.selection, whole.row_count, whole.reader_count) == ((), 3, 2)
    assert isinstance(large, MapFilterProject)
    assert (selected.selection, selected.row_count) == (selection_of(large.filters), 2)
    held = bench.worker._held
    assert held.state_bytes == held.installed.footprint.byte_count + sum(
        one.byte_count for one in (whole, selected)
    ), "each counts once"


def is_full(bench: Bench) -> bool:
    progress = bench.worker._progress
    assert progress is not None
    return progress.state_bytes >= progress.state_bytes_max


def test_a_replica_that_grows_past_its_limit_says_so_and_goes_on() -> None:
    bench = filled()
    limit = bench.worker._held.state_bytes + 1
    bench.send(UpdateConfiguration(values={"state_bytes_max": str(limit)}))
    bench.wait(MEASURE_INTERVAL_MS)
    assert not is_full(bench)
    bench.tick(30, *[((number, "more"), 1) for number in range(1_000)])
    bench.wait(MEASURE_INTERVAL_MS)
    assert is_full(bench)
    bench.send(read_index(1, X, 30))
    answer = bench.answers()[peek_id(1)]
    assert counted(answer) == bench.store.content(TABLE, 30), "and what it says is right"
    bench.send(UpdateConfiguration(values={"state_bytes_max": "default"}))
    bench.wait(MEASURE_INTERVAL_MS)
    assert not is_full(bench)

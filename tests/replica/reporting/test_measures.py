"""What heartbeats tell of arrangements."""

from __future__ import annotations

import pytest

from antiphon.protocol.response import ArrangementState
from antiphon.replica.reporting import measures
from antiphon.replica.reporting.measures import MEASURE_INTERVAL_MS
from tests.replica.bench import Bench, J, filled, schedule
from tests.replica.scripted import TABLE, get, index


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

"""The demo's data: a year of flights as events, and the comparison that must be able to fail."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from antiphon.demo.check import Oracle, compare, compare_changes
from antiphon.demo.data import Year, data_directory, read_year
from antiphon.demo.events import ARRIVED, CANCELLED, DEPARTED, SCHEDULED, Events
from antiphon.demo.meter import Pace, Sent, ViewMeter
from antiphon.demo.views import TABLES, VIEWS, View


@cache
def year() -> Year:
    return read_year(data_directory())


@cache
def events() -> Events:
    return Events.of(year().flights)


def oracle(count: int) -> Oracle:
    tables = {name: getattr(year(), name) for name in TABLES}
    return Oracle({"flights": events().state_after(count), **tables})


def test_the_year_is_whole() -> None:
    assert [getattr(year(), n).num_rows for n in ("flights", *TABLES)] == [
        336_776, 16, 1_458, 3_322, 26_115
    ]  # fmt: skip
    assert len(events()) == 1_000_898
    assert np.bincount(events().state).tolist() == [336_776, 328_521, 327_346, 8_255]


def test_the_keys_of_the_tables_are_unique() -> None:
    for name, key in (("airlines", "carrier"), ("airports", "faa"), ("planes", "tailnum")):
        table = getattr(year(), name)
        assert len(table[key].unique()) == len(table)
    weather = year().weather
    assert weather.group_by(["origin", "hour"]).aggregate([]).num_rows == weather.num_rows


def test_events_are_in_order_and_every_flight_lives_a_legal_life() -> None:
    stream = events()
    assert (np.diff(stream.moment_us) >= 0).all()
    order = np.lexsort((np.arange(len(stream)), stream.row))
    rows, states = stream.row[order], stream.state[order]
    follows = rows[1:] == rows[:-1]
    steps = {(int(a), int(b)) for a, b in zip(states[:-1][follows], states[1:][follows])}  # noqa: B905
    assert steps == {(SCHEDULED, DEPARTED), (DEPARTED, ARRIVED), (SCHEDULED, CANCELLED)}
    first = np.concatenate([[True], ~follows])
    assert (states[first] == SCHEDULED).all()


def test_an_event_tells_only_what_is_known_by_then() -> None:
    table = events().table(400_000, 402_000)
    state = table["state"].combine_chunks()
    for name, known in (("dep_delay", ["departed", "arrived"]), ("arr_delay", ["arrived"])):
        hidden = pc.invert(pc.is_in(state, pa.array(known)))
        assert pc.all(table.filter(hidden)[name].is_null()).as_py()
        assert table.filter(pc.invert(hidden))[name].null_count == 0


def test_the_state_is_the_last_event_of_every_flight_seen() -> None:
    count = 5_000
    expected = {row["id"]: row for row in events().table(0, count).to_pylist()}
    assert {row["id"]: row for row in events().state_after(count).to_pylist()} == expected


def test_fewer_rows_are_the_first_by_schedule() -> None:
    few = read_year(data_directory(), 1_000).flights
    assert few.equals(year().flights.slice(0, 1_000).combine_chunks())


def test_every_view_has_rows_on_the_way_and_its_key_is_one() -> None:
    duck = oracle(600_000)
    for view in VIEWS:
        table = duck.expected(view)
        assert table.num_rows > 0, view.name
        keys = table.group_by(list(view.key)).aggregate([])
        assert keys.num_rows == table.num_rows, f"{view.key} is no key of {view.name}"
    duck.close()


def view_of(key: tuple[str, ...] = ("k",)) -> View:
    return View(name="v", query="", key=key)


def test_equal_rows_are_equal_in_any_order_and_width() -> None:
    actual = pa.table({"k": ["a", "b"], "n": pa.array([1, None], pa.int64()), "x": [0.1 + 0.2, 1]})
    expected = pa.table(
        {"k": ["b", "a"], "n": pa.array([None, 1], pa.decimal128(38, 0)), "x": [1, 0.3]}
    )
    assert compare(view_of(), "r1", actual, expected).is_equal


@pytest.mark.parametrize(
    ("rows", "difference"),
    [
        ([("a", 1)], "1 rows, expected 2"),
        ([("a", 1), ("b", 3)], "{'k': 'b', 'n': 3}, expected {'k': 'b', 'n': 2}"),
        ([("a", 1), ("b", None)], "'n': None}, expected"),
        ([("a", 1), ("b", 2), ("b", 2)], "3 rows, expected 2"),
        ([("a", 1), ("c", 2)], "'k': 'c'"),
    ],
)
def test_whatever_differs_is_shown(rows: list[tuple[str, int]], difference: str) -> None:
    def table(pairs: list[tuple[str, int]]) -> pa.Table:
        return pa.table({"k": [k for k, _ in pairs], "n": pa.array([n for _, n in pairs])})

    verdict = compare(view_of(), "r1", table(rows), table([("a", 1), ("b", 2)]))
    assert not verdict.is_equal
    assert any(difference in text for text in verdict.differences), verdict.differences


def test_other_columns_are_a_difference() -> None:
    verdict = compare(view_of(), "r1", pa.table({"k": [1]}), pa.table({"j": [1]}))
    assert not verdict.is_equal


def changes(*rows: tuple[str, int, int]) -> pa.Table:
    names = ("k", "antiphon_time", "antiphon_diff")
    return pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)})


def test_a_subscription_adds_up_to_what_stays() -> None:
    batches = [changes(("a", 1, 1), ("b", 1, 1)), changes(("a", 2, -1), ("c", 2, 1))]
    assert compare_changes(view_of(), batches, pa.table({"k": ["b", "c"]})).is_equal
    assert compare_changes(view_of(), [], pa.table({"k": pa.array([], pa.string())})).is_equal
    assert not compare_changes(view_of(), batches, pa.table({"k": ["b"]})).is_equal


@pytest.mark.parametrize("diff", [1, -1])
def test_a_repeated_or_a_missing_change_is_noticed(diff: int) -> None:
    batches = [changes(("a", 1, diff)), changes(("a", 1, diff))]
    verdict = compare_changes(view_of(), batches, pa.table({"k": ["a"]}))
    assert any("summed up" in text for text in verdict.differences)


def test_latency_runs_from_an_append_to_the_change_in_hand() -> None:
    meter = ViewMeter("v")
    meter.frontier, meter.received_s = 11, 5.0
    meter.settle([Sent(10, 4.9), Sent(11, 4.95)])
    assert meter.latencies_s == [pytest.approx(0.1)]
    meter.frontier, meter.received_s = 12, 5.2
    meter.settle([Sent(10, 4.9), Sent(11, 4.95)])
    assert meter.latency_ms(50) == pytest.approx(175)


def test_a_pace_is_of_the_last_seconds() -> None:
    pace = Pace()
    for second in range(20):
        pace.add(10, float(second))
    assert pace.per_second(19.0) == pytest.approx(10)
    assert pace.per_second(100.0) == 0
    assert pace.total == 200

"""Intervals that are equal and spelled otherwise: which of them is shown depends on the rows that
are there, and on nothing that was there before."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from antiphon.protocol.ids import CollectionId
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.hostile_rows import months_days_hours, zset_of
from tests.controller.sql.ticking import View, left_behind
from tests.controller.sql.world import World

MONTH, DAYS, HOURS = (
    months_days_hours(1, 0, 0), months_days_hours(0, 30, 0), months_days_hours(0, 0, 720)
)  # fmt: skip
FEBRUARY = dt.datetime(2024, 2, 29)
# What a query shows while a month and 30 days are there, and while one of them is there alone.
SHOWN: list[tuple[str, list[Any], list[Any], list[Any]]] = [
    ("select v, count(*) from t group by v", [(DAYS, 2)], [(MONTH, 1)], [(DAYS, 1)]),
    ("select distinct v from t", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select v from t union select v from t", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select v from t intersect all select v from t", [(DAYS,), (DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select v from t except select interval '1 day'", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select max(v) from t", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select min(v) from t", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select mode() within group (order by v) from t", [(DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select array_agg(v order by v) from t", [([DAYS, MONTH],)], [([MONTH],)], [([DAYS],)]),
    ("select array_agg(distinct v) from t", [([DAYS],)], [([MONTH],)], [([DAYS],)]),
    ("select v from t order by v limit 5", [(DAYS,), (MONTH,)], [(MONTH,)], [(DAYS,)]),
    ("select max(v) over () from t", [(DAYS,), (DAYS,)], [(MONTH,)], [(DAYS,)]),
    ("select [v], count(*) from t group by 1", [([DAYS], 2)], [([MONTH], 1)], [([DAYS], 1)]),
    ("select timestamp '2024-01-31' + v from (select distinct v from t) x",
     [(dt.datetime(2024, 3, 1),)], [(FEBRUARY,)], [(dt.datetime(2024, 3, 1),)]),
    ("select v from t where exists (select 1 from u where u.d + v = timestamp '2024-02-29')",
     [(MONTH,)], [(MONTH,)], []),
    ("select (select max(u.d + v) from u where u.d + v < timestamp '2100-01-01') from t",
     [(FEBRUARY,), (dt.datetime(2024, 3, 1),)], [(FEBRUARY,)], [(dt.datetime(2024, 3, 1),)]),
    ("select (select u.d + v from u order by u.d limit 1) from t",
     [(FEBRUARY,), (dt.datetime(2024, 3, 1),)], [(FEBRUARY,)], [(dt.datetime(2024, 3, 1),)]),
    ("select v from t where v in (select v from t)", [(DAYS,), (MONTH,)], [(MONTH,)], [(DAYS,)]),
    ("select v, count(*) from t group by v having v::text = '1 mon'", [], [(MONTH, 1)], []),
]  # fmt: skip


def world() -> World:
    made = World()
    made.run("CREATE TABLE t (v interval)")
    made.run("CREATE TABLE u (d timestamp)")
    return made


def change(over: World, *rows: tuple[pa.MonthDayNano, int]) -> dict[CollectionId, Zset]:
    return dict([zset_of(over, "t", [((value,), diff) for value, diff in rows])])


def shown(view: View) -> list[Any]:
    return sorted(view.rows(), key=repr)


@pytest.mark.parametrize(("query", "both", "month", "days"), SHOWN, ids=lambda x: str(x)[:40])
@pytest.mark.parametrize("order", [(MONTH, DAYS), (DAYS, MONTH)], ids=["month", "days"])
def test_what_is_shown_is_of_the_rows_that_are_there(
    query: str, both: list[Any], month: list[Any], days: list[Any], order: tuple[Any, Any]
) -> None:
    over = world()
    view = View(over, query)
    view.step(dict([zset_of(over, "u", [((dt.datetime(2024, 1, 31),), 1)])]))
    for value in order:
        view.step(change(over, (value, 1)))
    assert shown(view) == sorted(both, key=repr)
    view.step(change(over, (DAYS, -1)))
    assert shown(view) == sorted(month, key=repr), "a month alone"
    view.step(change(over, (DAYS, 1), (MONTH, -1)))
    assert shown(view) == sorted(days, key=repr), "30 days alone"
    view.step(change(over, (DAYS, -1), (MONTH, 1)))
    assert shown(view) == sorted(month, key=repr), "a month alone, again"
    view.step({**change(over, (MONTH, -1)),
               **dict([zset_of(over, "u", [((dt.datetime(2024, 1, 31),), -1)])])})  # fmt: skip
    assert left_behind(over, view) == []


def test_one_of_three_spellings_goes() -> None:
    over = world()
    view = View(over, "select v, count(*) from t group by v")
    view.step(change(over, (MONTH, 1), (DAYS, 2), (HOURS, 3)))
    assert view.rows() == [(HOURS, 6)]
    view.step(change(over, (HOURS, -3)))
    assert view.rows() == [(DAYS, 3)]
    view.step(change(over, (HOURS, 1), (DAYS, -1)))
    assert view.rows() == [(HOURS, 3)]


def test_a_statement_that_asks_for_one_spelling_leaves_the_other() -> None:
    over = world()
    over.run("INSERT INTO t VALUES (interval '1 month'), (interval '30 days'), (interval '1 day')")
    over.run("UPDATE t SET v = v * 2 WHERE v::text = '30 days'")
    found = over.select("SELECT v::text FROM t")
    assert sorted(found) == [("1 day",), ("1 mon",), ("60 days",)]
    over.run("INSERT INTO t VALUES (interval '30 days')")
    over.run("DELETE FROM t WHERE v::text = '1 mon'")
    assert sorted(over.select("SELECT v::text FROM t")) == [("1 day",), ("30 days",), ("60 days",)]
    over.run("DELETE FROM t USING u WHERE false")
    over.run("DELETE FROM t WHERE v = interval '1 month'")
    assert sorted(over.select("SELECT v::text FROM t")) == [("1 day",), ("60 days",)]

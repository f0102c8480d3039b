"""What can fail, in every place that computes: the error is there exactly while its row is, and
nowhere where the row is not asked for. Incremental and from scratch say the same."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.ticking import View, columns_of, left_behind
from tests.controller.sql.world import Row, World

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

TABLES = """
CREATE TABLE r (
    id int, g int, i int, h smallint, l bigint, n numeric(10,2), f float8, s text, d date,
    t timestamp
);
CREATE TABLE o (g int, j int)
"""
NAMES = ("id", "g", "i", "h", "l", "n", "f", "s", "d", "t")
GOOD: Row = (1, 1, 2, 2, 2, Decimal(2), 2.0, "2", dt.date(2024, 1, 1), dt.datetime(2024, 1, 1))
BAD_ID = 99
OTHERS: list[Row] = [(1, 1), (2, 2), (9, 1), (9, 2), (None, 3)]
# What fails in a row with these values, and in no other.
FAILURES: dict[str, tuple[str, dict[str, Any]]] = {
    "division": ("10 / (i - 3)", {"i": 3}),
    "modulo": ("10 % (i - 3)", {"i": 3}),
    "smallint": ("h * 15000::smallint", {"h": 3}),
    "integer": ("i * 1000000000", {"i": 3}),
    "bigint": ("l * 4000000000000000000", {"l": 3}),
    "negated": ("- (l - 9223372036854775807 - 1)", {"l": 0}),
    "decimal": ("n * 1000000000000000000000000000000000.00", {"n": Decimal(99999999)}),
    "quotient": ("n / (n - 3.00)", {"n": Decimal(3)}),
    "float": ("f * 1e307::float8", {"f": 1e10}),
    "text": ("s::int", {"s": "x"}),
    "digits": ("s::numeric(4,2)", {"s": "1000"}),
    "date of text": ("('2024-01-0' || s)::date", {"s": "x"}),
    "narrower": ("i::smallint", {"i": 100000}),
    "root": ("sqrt(f - 1)", {"f": 0.0}),
    "logarithm": ("ln(f - 1)", {"f": 1.0}),
    "date": ("d + i", {"i": 2147483647}),
    "timestamp": ("t + i * interval '1000000 days'", {"i": 1000}),
    "substring": ("substring('abc', 1, 2 - i)", {"i": 3}),
    "month": ("make_date(2024, i, 1)", {"i": 13}),
    "length": ("left(repeat('a', i), 1)", {"i": 2000000000}),
    "several rows": ("(select o.j from o where o.g = r.i)", {"i": 9}),
}
PLACES = {
    "projection": "select {e} as x from r",
    "filter": "select id from r where {e} is not null",
    "join key": "select r.id from r join o on ({e})::text = o.g::text",
    "left join": "select r.id, o.g from r left join o on ({e})::text = o.g::text",
    "right join": "select r.id, o.g from o left join r on ({e})::text = o.g::text",
    "join condition": "select r.id from r join o on r.g = o.g and ({e})::text <> o.j::text",
    "full join": "select r.id, o.g from r full join o on r.g = o.g and ({e})::text = o.j::text",
    "group key": "select ({e})::text as k, count(*) from r group by ({e})::text",
    "count": "select g, count({e}) from r group by g",
    "extreme": "select max(({e})::text) from r",
    "aggregate filter": "select count(*) filter (where ({e}) is null) from r",
    "window order": "select id, row_number() over (partition by g order by {e}, id) from r",
    "window value": "select id, lag({e}) over (order by id) from r",
    "limit": "select id from r order by {e}, id limit 1",
    "distinct": "select distinct {e} from r",
    "distinct on": "select distinct on (g) id from r order by g, {e}, id",
    "union": "select ({e})::text as x from r union select g::text from o",
    "except": "select g::text from o except all select ({e})::text from r",
    "in": "select g from o where g::text in (select ({e})::text from r)",
    "not in": "select g from o where g::text not in (select ({e})::text from r)",
    "exists": "select g from o where exists (select 1 from r where r.g = o.g and {e} is not null)",
    "lateral": "select o.g, q.x from o, lateral (select {e} as x from r where r.g = o.g) q",
    "recursion": "with recursive w(id, x) as (select id, 0 from r union select w.id, 1 from w "
    "join r on r.id = w.id where {e} is not null) select id, x from w",
    "inner query": "select count(*) from (select {e} as x, id from r) q where q.x is not null",
    "list": "select array_agg({e}) from r",
}
MORE_PLACES = {
    "grouping sets": "select g, ({e})::text as k, count(*) from r "
    "group by grouping sets ((g), (({e})::text), ())",
    "having": "select g from r group by g having max(({e})::text) is not null",
    "order of an aggregate": "select g, string_agg(s, ',' order by {e}, id) from r group by g",
    "offset": "select id from r order by {e} desc, id limit 2 offset 1",
    "first rows": "select o.g, q.id from o left join lateral "
    "(select id from r where r.g = o.g order by {e}, id limit 1) q on true",
    "join on a range": "select r.id, o.j from o left join r on ({e})::text < o.j::text",
    "no match": "select g from o where not exists "
    "(select 1 from r where r.g = o.g and ({e})::text = o.j::text)",
    "all": "select g from o where g::text >= all (select ({e})::text from r where r.g = o.g)",
    "except of it": "select ({e})::text from r except all select j::text from o",
    "intersect": "select j::text from o intersect all select ({e})::text from r",
    "frame": "select id, count({e}) over (order by id rows between 1 preceding and 1 following "
    "exclude current row) from r",
    "rows of a list": "select id, v from r, unnest(array[({e})::text, s]) as q(v)",
    "start of a recursion": "with recursive w(x) as (select ({e})::text from r union "
    "select x || '.' from w where length(x) < 3) select x from w",
    "read twice": "with q as (select id, g, ({e})::text as x from r) "
    "select a.x from q a join q b on a.id = b.id and a.g = b.g",
}
GUARDS = {
    "case": "select case when id < 90 then ({e})::text else 'bad' end from r",
    "and": "select id from r where id < 90 and {e} is not null",
    "or": "select id from r where id >= 90 or {e} is not null",
    "coalesce": "select coalesce(id::text, ({e})::text) from r",
    "filter first": "select q.x from (select id, ({e})::text as x from r where id < 90) q",
    "case in an aggregate": "select sum(case when id < 90 then length(({e})::text) end) from r",
    "aggregate filter": "select count(({e})::text) filter (where id < 90) from r",
    "aggregate filter in a group": "select g, max(({e})::text) filter (where id < 90), count(*) "
    "from r group by g",
    "order of an aggregate": "select array_agg(id order by {e}) filter (where id < 90) from r",
    "window filter": "select id, count(({e})::text) filter (where id < 90) over (partition by g) "
    "from r",
    "join after": "select r.id from (select * from r where id < 90) r join o on r.g = o.g "
    "where ({e}) is not null",
}  # fmt: skip


def bad_row(values: dict[str, Any]) -> Row:
    given = {"id": BAD_ID, **values}
    return tuple(given.get(name, value) for name, value in zip(NAMES, GOOD, strict=True))


def change(world: World, name: str, rows: list[tuple[Row, int]]) -> tuple[CollectionId, Zset]:
    item = world.catalog.find(name)
    assert item is not None
    columns = columns_of([row for row, _ in rows], arrow_schema(item.schema))
    return item.id, Zset(columns, np.array([diff for _, diff in rows], np.int64)).consolidated()


def said(view: View) -> tuple[Counter[str], Counter[str]]:
    return Counter(map(repr, view.rows())), view.errors


def filled(world: World, query: str, more: list[tuple[Row, int]]) -> View:
    """A view over the good rows and these, all of them in its first tick."""
    view = View(world, query)
    rows = [(GOOD, 1), ((2, *GOOD[1:]), 1), *more]
    view.step(dict([change(world, "r", rows), change(world, "o", [(row, 1) for row in OTHERS])]))
    return view


def test_an_error_moves_doubles_and_is_mended_with_its_row() -> None:
    expression, values = FAILURES["modulo"]
    bad = bad_row(values)
    other, mended = (BAD_ID - 1, *bad[1:]), (BAD_ID - 1, *GOOD[1:])
    world = World()
    world.run(TABLES)
    for place, query in {**PLACES, **MORE_PLACES}.items():
        text = query.format(e=expression)
        view = filled(world, text, [(bad, 1)])
        before = said(filled(world, text, []))
        for changes, present in (
            ([(bad, -1), (other, 1)], [(other, 1)]),  # it moves
            ([(other, 2), (bad, 1)], [(other, 3), (bad, 1)]),
            ([(other, -2), (mended, 2)], [(other, 1), (mended, 2), (bad, 1)]),
            ([(bad, -1), (mended, -2), (bad, 1)], [(other, 1), (bad, 1)]),
        ):
            view.step(dict([change(world, "r", changes)]))
            assert view.errors, f"{place}: {text}"
            assert said(view) == said(filled(world, text, present)), f"{place}: {text}"
        view.step(dict([change(world, "r", [(bad, -1), (other, -1)])]))
        assert said(view) == before, f"gone, {place}: {text}"
        rows = [(GOOD, -1), ((2, *GOOD[1:]), -1)]
        view.step(dict([change(world, "r", rows), change(world, "o", [(o, -1) for o in OTHERS])]))
        assert left_behind(world, view) == [], f"{place}: {text}"


@pytest.mark.parametrize("failure", FAILURES)
def test_an_error_is_there_exactly_while_its_row_is(failure: str) -> None:
    expression, values = FAILURES[failure]
    bad = bad_row(values)
    world = World()
    world.run(TABLES)
    for place, query in {**PLACES, **{f"guard: {k}": q for k, q in GUARDS.items()}}.items():
        text = query.format(e=expression)
        view = filled(world, text, [])
        before = said(view)
        assert not before[1], f"{place}: {text}"
        view.step(dict([change(world, "r", [(bad, 1)])]))
        during = said(view)
        assert bool(during[1]) is not place.startswith("guard"), f"{place}: {text}"
        assert said(filled(world, text, [(bad, 1)])) == during, f"from scratch, {place}: {text}"
        view.step(dict([change(world, "r", [(bad, 2)])]))
        view.step(dict([change(world, "r", [(bad, -3)])]))
        assert said(view) == before, f"gone, {place}: {text}"

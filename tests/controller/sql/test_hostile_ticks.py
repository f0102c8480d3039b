"""Queries over hostile rows depend on nothing but the rows: not on how changes fell into ticks, not
on their order, not on when the view began. Bytes and errors are compared, not values."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.errors import InvalidSql, NotServed, TypeMismatch, UnsupportedSql
from antiphon.protocol.expression import FUNCTIONS
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import imports_of
from antiphon.protocol.row_hash import hash_rows
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import ImportSpec, evaluate_once
from tests.controller.sql.failing_functions import FAILING
from tests.controller.sql.hostile_queries import hostile_query
from tests.controller.sql.hostile_rows import EVERY, LAST, HostileRows, hostile_world, zset_of
from tests.controller.sql.ticking import View, left_behind
from tests.controller.sql.world import World

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

START = int(os.environ.get("HOSTILE_FROM", "0"))
QUERIES = int(os.environ.get("HOSTILE_QUERIES", "60"))
SEEDS = int(os.environ.get("TICKING_SEEDS", "1"))
A_TEST = 20
CANNOT_FAIL = FUNCTIONS - set(FAILING)
# Values that are equal and could look different: a product that is zero has either sign.
TWINS = (
    "select h / 2 * 0.0::float8 as z, count(*) from p group by h / 2 * 0.0::float8",
    "select distinct f * h from p where f = 0 union select atan2(f * h, -1) from p where f = 0",
    "select g, min(h * 0.0::float8), mode() within group (order by h * 0.0::float8) from p "
    "group by g",
    "select ARRAY[h * 0.0::float8], ROW(1, (h * 0.0::real)::text) from p limit 3",
    "select -f, count(*) from p where f = 'NaN' group by -f union select f, 1 from p",
    "select distinct n::numeric(38,5) as x from p union select w from q",
    "select upper(s), count(*) from k group by upper(s) union select s || '\u0301', 1 from p",
    "select x.z, y.z from (select h * 0.0::float8 as z from p) x "
    "join (select g * 0.0::real as z from q) y on x.z = y.z",
)


def test_seeds_are_served(planned: list[tuple[str, View]]) -> None:
    assert len(planned) > A_TEST * 3 // 4, "most of them are served"


@pytest.fixture(scope="module")
def planned() -> list[tuple[str, View]]:
    return list(views(hostile_world(), random_queries(START)))


def random_queries(start: int) -> tuple[str, ...]:
    return (*TWINS, *map(hostile_query, range(start, start + A_TEST)))


def views(world: World, queries: Iterable[str]) -> Iterator[tuple[str, View]]:
    for query in queries:
        try:
            yield query, View(world, query)
        except (UnsupportedSql, NotServed, TypeMismatch, InvalidSql):
            continue  # also a literal that no type has: known before there are rows


def whole(world: World, rows: HostileRows, order: random.Random) -> dict[CollectionId, Zset]:
    """All rows as one change, in another order."""
    found = {}
    for name, present in rows.rows.items():
        shuffled = order.sample(present, len(present))
        collection, change = zset_of(world, name, [(row, 1) for row in shuffled])
        found[collection] = change.consolidated()
    return found


def told(content: Zset) -> tuple[str, str, int]:
    """Everything a reader could see of it, errors too, and its content digest."""
    content = content.consolidated()
    rows = [countable(column).to_pylist() for column in content.columns]
    errors = content.errors
    said = "" if errors is None else repr([column.to_pylist() for column in errors.columns])
    said += "" if errors is None else repr(errors.diffs.tolist())
    high, low = hash_rows(content.columns, content.row_count)
    digest = 0
    for one, two, diff in zip(high.tolist(), low.tolist(), content.diffs.tolist(), strict=True):
        digest += diff * (one << 64 | two)
    return repr((rows, content.diffs.tolist())), said, digest % (1 << 128)


def countable(column: pa.Array) -> pa.Array:
    """Dates and times as numbers: Python's end with the year 9999."""
    if pa.types.is_date32(column.type):
        return column.view(pa.int32())
    return column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column


def from_scratch(world: World, view: View, inputs: Mapping[CollectionId, Zset], time: int) -> Zset:
    plan = view.flow.plan
    imports = {c: ImportSpec(schema=world.catalog.get(c).schema) for c in imports_of(plan)}
    return evaluate_once(plan, imports, inputs, time=time)


@pytest.mark.parametrize("start", range(START, START + QUERIES, A_TEST))
def test_what_a_view_holds_depends_on_the_rows_alone(start: int) -> None:
    steady = depends_on_rows_alone(random_queries(start), start)
    assert all(not np.any(view.content.diffs) for query, view in steady if is_over_rows(query))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_holds_every_construct_depends_on_the_rows_alone(seed: int) -> None:
    depends_on_rows_alone(EVERY, seed, all_served=True)


def depends_on_rows_alone(
    queries: Sequence[str], start: int, *, all_served: bool = False
) -> list[tuple[str, View]]:
    """The views, whose rows have all gone in the end."""
    world, order = hostile_world(), random.Random(start)
    steady = list(views(world, queries))
    seldom = list(views(world, queries))  # given several ticks at once
    assert len(steady) == len(queries) or (steady and not all_served), "they are served"
    rows, waiting = HostileRows(start), {name: [] for name in HostileRows(start).rows}
    for number in range(LAST + 1):
        changes = rows.tick(number)
        inputs = dict(zset_of(world, name, changed) for name, changed in changes.items())
        for name, changed in changes.items():
            waiting[name] += changed
        for _, view in steady:
            view.step({c: change.consolidated() for c, change in inputs.items()})
        if number % 3 != 0:
            continue
        for changed in waiting.values():
            order.shuffle(changed)
        together = dict(zset_of(world, name, changed) for name, changed in waiting.items())
        waiting = {name: [] for name in waiting}
        content = whole(world, rows, order)
        for (query, view), (_, other) in zip(steady, seldom, strict=True):
            place = f"from {start}, tick {number}: {query}"
            other.step({c: change.consolidated() for c, change in together.items()})
            held = told(view.content)
            assert told(other.content) == held, f"in other ticks, {place}"
            once = from_scratch(world, view, content, number)
            assert told(once) == held, f"from scratch, {place}"
    unforeseen = {name for _, view in steady for name in view.failed} & CANNOT_FAIL
    assert not unforeseen, "give it a row in failing_functions.py"
    for query, view in steady:
        assert left_behind(world, view) == [], f"from {start}: {query}"
    return steady


def is_over_rows(query: str) -> bool:
    """Whether nothing is left of it over empty tables: no aggregate without groups."""
    return " as g0" not in query and "count(" not in query and " none " not in query

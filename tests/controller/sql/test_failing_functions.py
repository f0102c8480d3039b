"""Every function that can fail: the error is there exactly while the row is, and names it."""

from __future__ import annotations

import pytest

from tests.controller.sql.failing_functions import FAILING, GOOD, TABLES, row
from tests.controller.sql.test_passing_errors import change, said
from tests.controller.sql.ticking import View, left_behind
from tests.controller.sql.world import World
from tests.exactness_document import constructs

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

PLACES = (
    "select id, {e} as x from r",
    "select id from r where {e} is not null",
    "select {e} as x, count(*) from r group by {e}",
)


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.run(TABLES)
    return made


@pytest.mark.parametrize("function", FAILING)
def test_a_function_fails_exactly_while_its_row_is_there(world: World, function: str) -> None:
    expression, values = FAILING[function]
    good, bad = row(1, {}), row(99, values)
    assert good == GOOD
    others = change(world, "o", [((9, 1), 1), ((9, 2), 1)])
    for place in PLACES:
        query = place.format(e=expression)
        view = View(world, query)
        assert function in set(constructs(view.flow.plan)), "it is computed by another"
        view.step(dict([change(world, "r", [(good, 1)]), others]))
        before = said(view)
        assert not before[1], query
        view.step(dict([change(world, "r", [(bad, 1)])]))
        errors = view.content.errors
        assert errors is not None, query
        assert errors.columns[2].to_pylist() == [function], query
        during = said(view)
        once = View(world, query)
        once.step(dict([change(world, "r", [(good, 1), (bad, 1)]), others]))
        assert said(once) == during, query
        view.step(dict([change(world, "r", [(bad, 1)])]))
        view.step(dict([change(world, "r", [(bad, -2)])]))
        assert said(view) == before, query
        gone = change(world, "o", [((9, 1), -1), ((9, 2), -1)])
        view.step(dict([change(world, "r", [(good, -1)]), gone]))
        assert left_behind(world, view) == [], query

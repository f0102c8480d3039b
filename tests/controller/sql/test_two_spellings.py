"""What only PostgreSQL has words for, as views: at each tick of random changes what DuckDB computes
from scratch when it is asked the same in its own words."""

from __future__ import annotations

import os
import random

import pytest

from tests.controller.sql.failing_rows import FailingOracle, FailingRows, failing_world
from tests.controller.sql.test_example_ticks import TICKS, Parts, oracle, tables_alone
from tests.controller.sql.test_passing_errors import change
from tests.controller.sql.ticking import View, are_close
from tests.controller.sql.two_spellings import pairs_of
from tests.controller.sql.world import difference

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

SEEDS = int(os.environ.get("TICKING_SEEDS", "1"))
FAILING_TICKS = 9


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_view_is_what_duckdb_says_in_other_words(seed: int) -> None:
    world, duck = tables_alone(), oracle()
    views = [(View(world, ours), ours, theirs) for ours, theirs in pairs_of("two_spellings.sql")]
    parts = Parts(world, seed + 100)
    for number in range(TICKS):
        inputs = parts.tick(number)
        for name, table in parts.tables():
            duck.register("incoming", table)
            duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
        for view, ours, theirs in views:
            view.step(inputs)
            place = f"seed {seed}, tick {number}: {ours}"
            assert not view.errors, place
            expected = [tuple(row) for row in duck.execute(theirs).fetchall()]
            found = view.rows()
            assert are_close(found, expected) or difference(found, expected) == "", place


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_view_fails_exactly_while_duckdb_does(seed: int) -> None:
    world, duck, rows = failing_world(), FailingOracle(), FailingRows(random.Random(seed))
    views = [
        (View(world, ours), ours, theirs) for ours, theirs in pairs_of("failing_spellings.sql")
    ]
    failed, mended = set[str](), set[str]()
    for tick in range(FAILING_TICKS):
        changes = rows.tick(tick, is_last=tick == FAILING_TICKS - 1)
        duck.fill(world, rows)
        inputs = dict(change(world, name, changed) for name, changed in changes.items())
        for view, ours, theirs in views:
            view.step(inputs)
            place, expected = f"seed {seed}, tick {tick}: {ours}", duck.answer(theirs)
            assert bool(view.errors) == (expected is None), f"{place}: {view.errors}"
            if expected is None:
                failed.add(ours)
            else:
                assert difference(view.rows(), expected) == "", place
                mended |= failed & {ours}
    assert len(mended) > len(views) // 2, "they fail, and are mended"

"""Data errors come and go with the rows that cause them: at every tick a view has errors exactly
when DuckDB, over the same rows from scratch, fails; at all other ticks it has DuckDB's rows."""

from __future__ import annotations

import os
import random

import pytest

from tests.controller.sql.failing_rows import (
    QUERIES,
    FailingOracle,
    FailingRows,
    failing_world,
)
from tests.controller.sql.test_passing_errors import change
from tests.controller.sql.ticking import View, left_behind
from tests.controller.sql.world import difference

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

SEEDS = int(os.environ.get("TICKING_SEEDS", "2"))
TICKS = 12


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_view_fails_exactly_while_its_query_does(seed: int) -> None:
    world, oracle = failing_world(), FailingOracle()
    views = [(query, View(world, query)) for query in QUERIES]
    rows = FailingRows(random.Random(seed))
    failing, mended = set[str](), set[str]()
    for tick in range(TICKS):
        changes = rows.tick(tick, is_last=tick == TICKS - 1)
        oracle.fill(world, rows)
        inputs = dict(change(world, name, changed) for name, changed in changes.items())
        for query, view in views:
            view.step(inputs)
            place, expected = f"seed {seed}, tick {tick}: {query}", oracle.answer(query)
            assert bool(view.errors) == (expected is None), f"{place}: {view.errors}"
            if expected is None:
                failing.add(query)
            else:
                assert difference(view.rows(), expected) == "", place
                mended |= failing & {query}
    for query, view in views:
        assert left_behind(world, view) == [], f"seed {seed}: {query}"
    assert len(mended) > len(QUERIES) * 3 // 4, "they fail, and are mended"

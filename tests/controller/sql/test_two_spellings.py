"""What only PostgreSQL has words for, as views: at each tick of random changes what DuckDB computes
from scratch when it is asked the same in its own words."""

from __future__ import annotations

import os

import pytest

from tests.controller.sql.test_example_ticks import TICKS, Parts, oracle, tables_alone
from tests.controller.sql.ticking import View, are_close
from tests.controller.sql.two_spellings import pairs_of
from tests.controller.sql.world import difference

SEEDS = int(os.environ.get("TICKING_SEEDS", "2"))


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

"""Views that follow random changes are at every tick what DuckDB, and for one seed DataFusion,
compute from scratch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antiphon.controller.sql.planner import split_statements
from tests.controller.sql.second_oracle import SecondOracle
from tests.controller.sql.ticking import KINDS, Rows, check

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

FOLDER = Path(__file__).parent / "ticks"
# What DataFusion mostly refuses: what stands in FROM and reads columns to its left; IGNORE NULLS
# inside of the call; functions that it has not; VALUES and TABLE as subqueries, zones of each row.
REFUSED = (
    "constructs",
    "functions_numeric",
    "functions_text",
    "nested_arrays",
    "sets",
    "window_nulls",
)
SEEDS = int(os.environ.get("TICKING_SEEDS", "2"))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_every_tick_is_what_duckdb_computes_from_scratch(path: Path, seed: int) -> None:
    kind = KINDS.get(path.stem.split("_")[0], Rows)
    second = SecondOracle() if seed == 0 else None
    queries = [piece.text for piece in split_statements(path.read_text())]
    check(queries, seed, kind=kind, second=second)
    if second is not None:
        asked_for_little = second.answered <= second.refused
        assert asked_for_little == (path.stem in REFUSED), "it is asked for nothing"
        assert second.outdated(queries) == []

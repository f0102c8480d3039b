"""Views that follow random changes are at every tick what DuckDB computes from scratch."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.controller.sql.planner import split_statements
from tests.controller.sql.ticking import differences

FOLDER = Path(__file__).parent / "ticks"
QUERIES = [
    piece.text.strip()
    for path in sorted(FOLDER.glob("*.sql"))
    for piece in split_statements(path.read_text())
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_tick_is_what_duckdb_computes_from_scratch(query: str) -> None:
    for seed in (1, 2):
        assert differences(query, seed) == ""

"""Random queries over lists and structs, kept up to date: at every tick what DuckDB computes."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow import sort_codes
from tests.controller.sql.nested_queries import nested_query
from tests.controller.sql.ticking import NestedRows, check

START = int(os.environ.get("TICKING_FROM", "0"))
QUERIES = int(os.environ.get("TICKING_QUERIES", "60"))
A_TEST = 20


@pytest.mark.parametrize("start", range(START, START + QUERIES, A_TEST))
def test_random_queries_over_nested_values_are_exact_at_every_tick(start: int) -> None:
    queries = [nested_query(seed) for seed in range(start, start + A_TEST)]
    check(queries, start, ticks=6, kind=NestedRows)


def test_nulls_in_the_wrong_place_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sort_codes.dense_codes

    def nulls_first(array: pa.Array) -> Words:
        codes = right(array) + 1
        codes[array.is_null().to_numpy(zero_copy_only=False)] = 0
        return codes

    monkeypatch.setattr(sort_codes, "dense_codes", nulls_first)
    with pytest.raises(AssertionError, match="ORDER BY a"):
        check(["SELECT id, a FROM r ORDER BY a, id LIMIT 4"], 1, kind=NestedRows)

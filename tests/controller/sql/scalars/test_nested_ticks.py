"""Random queries over lists and structs, kept up to date: at every tick what DuckDB computes."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.row_hash import Words
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns import sort_codes
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.nested_queries import nested_query
from tests.controller.sql.ticking import NestedRows, View, check, columns_of
from tests.controller.sql.world import World

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


def test_text_that_is_no_list_is_an_error_as_long_as_its_row_is_there() -> None:
    over = World()
    over.run("CREATE TABLE k (id int, w text)")
    table = over.catalog.find("k")
    assert table is not None
    view = View(over, "SELECT id, w::int[] AS a FROM k")
    schema = arrow_schema(table.schema)

    def tick(*changes: tuple[int, str | None, int]) -> None:
        columns = columns_of([(id_, text) for id_, text, _ in changes], schema)
        diffs = np.array([diff for _, _, diff in changes], np.int64)
        view.step({table.id: Zset(columns, diffs).consolidated()})

    tick((1, "{1,NULL}", 1), (2, None, 1), (3, "{}", 1))
    assert sorted(view.rows()) == [(1, [1, None]), (2, None), (3, [])]
    tick((4, "{1,x}", 1), (5, "{1", 1), (5, "{1", 1))
    assert view.errors == {
        'invalid input syntax for type integer: "x"': 1,
        'malformed list: "{1" is not a value of type integer[]': 2,
    }
    tick((4, "{1,x}", -1), (5, "{1", -2), (4, "{7}", 1))
    assert not view.errors
    assert sorted(view.rows()) == [(1, [1, None]), (2, None), (3, []), (4, [7])]

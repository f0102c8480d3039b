"""Finishing: order, cut, project, expand. Compared with the obvious Python over rows."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.dataflow import UNFINISHED, Finishing
from antiphon.protocol.errors import DataError, InvalidArgument, LimitExceeded
from antiphon.protocol.limits import CHUNK_BYTES
from antiphon.protocol.schema import (
    FLOAT64,
    INT64,
    INTERVAL,
    TEXT,
    Column,
    Schema,
    Type,
    arrow_type,
    decimal,
    list_of,
)
from antiphon.replica.readers.finishing import Answer, finish
from tests.replica.scripted import PAIRS, Row, rows_of


def schema_of(*kinds: Type) -> Schema:
    return Schema(tuple(Column(name=f"c{i}", type=kind) for i, kind in enumerate(kinds)))


def finished(
    rows: list[Row],
    diffs: list[int],
    finishing: Finishing = UNFINISHED,
    schema: Schema = PAIRS,
    rows_max: int = 1_000,
    bytes_max: int = 1 << 27,
) -> Answer:
    columns = tuple(
        pa.array([row[i] for row in rows], arrow_type(kind)) for i, kind in enumerate(schema.types)
    )
    project = finishing.project
    return finish(
        columns,
        np.array(diffs, np.int64),
        finishing=finishing,
        schema=schema if project is None else schema.project(project),
        rows_max=rows_max,
        bytes_max=bytes_max,
    )


def first_column(values: list[Any], finishing: Finishing, kind: Type) -> list[Any]:
    schema = schema_of(kind)
    answer = finished([(value,) for value in values], [1] * len(values), finishing, schema)
    return [row[0] for row in rows_of(answer.batches, schema)]


def test_multiplicities_become_rows() -> None:
    answer = finished([(1, "a"), (2, "b")], [2, 1])
    assert sorted(rows_of(answer.batches)) == [(1, "a"), (1, "a"), (2, "b")]
    assert answer.row_count == 3


def test_nothing_gives_no_batches() -> None:
    answer = finished([], [])
    assert answer == Answer(batches=(), row_counts=(), row_count=0, byte_count=0)


def test_a_negative_multiplicity_is_an_error() -> None:
    with pytest.raises(DataError, match="negative"):
        finished([(1, "a")], [-1])


def test_nulls_go_where_the_key_says() -> None:
    values = [2, None, 1]
    for descending in (False, True):
        for nulls_first in (False, True):
            order = Finishing(order_by=((0, descending, nulls_first),))
            found = first_column(values, order, INT64)
            numbers = [2, 1] if descending else [1, 2]
            assert found == ([None, *numbers] if nulls_first else [*numbers, None])


def test_nan_is_above_every_number() -> None:
    values = [math.nan, math.inf, 1.0]
    up = first_column(values, Finishing(order_by=((0, False, False),)), FLOAT64)
    assert up[:2] == [1.0, math.inf]
    assert math.isnan(up[2])
    down = first_column(values, Finishing(order_by=((0, True, False),)), FLOAT64)
    assert math.isnan(down[0])


def test_intervals_order_by_length_with_months_of_thirty_days() -> None:
    a_month, days, nearly = (1, 0, 0), (0, 31, 0), (0, 29, 86_400 * 10**9 - 1)
    order = Finishing(order_by=((0, False, False),))
    found = first_column([days, a_month, nearly], order, INTERVAL)
    assert [tuple(value) for value in found] == [nearly, a_month, days]


def test_decimals_order_by_value() -> None:
    values = [Decimal("10.00"), Decimal("9.50"), Decimal("-1.00")]
    found = first_column(values, Finishing(order_by=((0, False, False),)), decimal(10, 2))
    assert found == sorted(values)


def test_lists_are_ordered_by_their_elements_and_then_by_length() -> None:
    values = [None, [2], [None], [1, 3], [], [1]]
    up = first_column(values, Finishing(order_by=((0, False, False),)), list_of(INT64))
    assert up == [[], [1], [1, 3], [2], [None], None]
    down = first_column(values, Finishing(order_by=((0, True, True),)), list_of(INT64))
    assert down == up[::-1]


def test_ties_are_cut_alike_whatever_the_order_of_the_input() -> None:
    rows: list[Row] = [(1, word) for word in "abcdefgh"]
    order = Finishing(order_by=((0, False, False),), limit=3)
    one = finished(rows, [1] * 8, order)
    other = finished(rows[::-1], [1] * 8, order)
    assert rows_of(one.batches) == rows_of(other.batches)


def test_columns_are_projected_last() -> None:
    order = Finishing(order_by=((0, True, False),), project=(1,))
    answer = finished([(1, "a"), (2, "b")], [1, 1], order)
    assert rows_of(answer.batches, schema_of(TEXT)) == [("b",), ("a",)]


def test_columns_that_are_not_there_are_refused() -> None:
    pairs = tuple(pa.array([value]) for value in (1, "a"))
    for finishing, schema in (
        (Finishing(order_by=((2, False, False),)), PAIRS),
        (Finishing(project=(0, 2)), PAIRS),
        (UNFINISHED, PAIRS.project((0,))),
        (UNFINISHED, PAIRS.project((0, 0))),
    ):
        with pytest.raises(InvalidArgument):
            finish(
                pairs,
                np.ones(1, np.int64),
                finishing=finishing,
                schema=schema,
                rows_max=10,
                bytes_max=1_000,
            )


def test_rows_are_counted_after_the_cut() -> None:
    with pytest.raises(LimitExceeded, match="rows_max"):
        finished([(1, "a")], [1_000_000_000], rows_max=10)
    answer = finished([(1, "a")], [1_000_000_000], Finishing(limit=3), rows_max=10)
    assert answer.row_count == 3


def test_bytes_are_limited() -> None:
    with pytest.raises(LimitExceeded, match="bytes_max"):
        finished([(1, "a" * 100)], [1], bytes_max=50)


def test_large_answers_are_cut_into_chunks() -> None:
    rows: list[Row] = [(number, "x" * 1_000) for number in range(5_000)]
    answer = finished(rows, [1] * len(rows), rows_max=10_000)
    assert len(answer.batches) >= 5
    assert all(len(batch) <= 2 * CHUNK_BYTES for batch in answer.batches)
    assert answer.row_counts == tuple(len(rows_of((batch,))) for batch in answer.batches)
    assert answer.byte_count == sum(len(batch) for batch in answer.batches)
    assert rows_of(answer.batches) == rows


ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(-3, 3)), st.sampled_from("abc"), st.integers(1, 3)),
    max_size=8,
)


@given(ROWS, st.integers(0, 6), st.none() | st.integers(0, 6), st.booleans(), st.booleans())
def test_finishing_is_sort_then_slice(
    rows: list[tuple[int | None, str, int]],
    offset: int,
    limit: int | None,
    descending: bool,
    nulls_first: bool,
) -> None:
    # Order by both columns, so that ties are equal rows and the expectation is one list.
    finishing = Finishing(
        order_by=((0, descending, nulls_first), (1, False, False)), offset=offset, limit=limit
    )
    answer = finished([row[:2] for row in rows], [row[2] for row in rows], finishing)
    plain = [row[:2] for row in rows for _ in range(row[2])]

    def key(row: tuple[int | None, str]) -> tuple[bool, int, str]:
        number, word = row
        null_rank = (number is None) != nulls_first
        value = 0 if number is None else (-number if descending else number)
        return (null_rank, value, word)

    expected = sorted(plain, key=key)[offset:]
    if limit is not None:
        expected = expected[:limit]
    assert rows_of(answer.batches) == expected
    assert answer.row_count == len(expected)

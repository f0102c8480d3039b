"""Sums of row hashes: whatever way a content was reached, its digest is the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.content_digest import (
    CONTENT_DIGEST_BYTES,
    EMPTY,
    added,
    digest_bytes,
    digest_of_errors,
    digest_of_rows,
)
from antiphon.protocol.row_hash import hash_rows

Rows = list[tuple[int, str, int]]
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("abc"), st.sampled_from([1, 1, -1, 3, 2**40])),
    max_size=12,
)


def columns_of(rows: Rows) -> tuple[pa.Array, pa.Array]:
    return pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows], pa.string())


def digest(rows: Rows) -> int:
    return digest_of_rows(columns_of(rows), np.array([r[2] for r in rows], np.int64))


def naive(rows: Rows) -> int:
    high, low = hash_rows(columns_of(rows), len(rows))
    whole = [(int(h) << 64) | int(w) for h, w in zip(high, low, strict=True)]
    return sum(h * r[2] for h, r in zip(whole, rows, strict=True)) % 2**128


@given(ROWS, st.randoms())
def test_the_digest_is_the_sum_in_any_order_and_any_parts(rows: Rows, random: object) -> None:
    assert digest(rows) == naive(rows)
    shuffled = sorted(rows, key=lambda row: (row[2], row[1]))
    assert digest(shuffled) == digest(rows)
    for cut in range(len(rows) + 1):
        assert added(digest(rows[:cut]), digest(rows[cut:])) == digest(rows)


@given(ROWS)
def test_what_is_taken_back_leaves_nothing(rows: Rows) -> None:
    taken = [(k, v, -diff) for k, v, diff in rows]
    assert added(digest(rows), digest(taken)) == EMPTY


@given(ROWS, ROWS)
def test_other_contents_have_other_digests(one: Rows, other: Rows) -> None:
    def content(rows: Rows) -> dict[tuple[int, str], int]:
        found: dict[tuple[int, str], int] = {}
        for k, v, diff in rows:
            found[k, v] = found.get((k, v), 0) + diff
        return {row: diff for row, diff in found.items() if diff}

    assert (content(one) == content(other)) == (digest(one) == digest(other))


def test_an_error_is_no_row() -> None:
    columns = (pa.array(["a"]), pa.array(["b"]), pa.array(["c"]))
    one = np.ones(1, np.int64)
    assert digest_of_errors(columns, one) != digest_of_rows(columns, one)
    assert digest_of_errors(columns, -one) == added(-digest_of_errors(columns, one))


def test_many_rows_are_summed_without_loss() -> None:
    many = 100_000
    column = pa.array(np.zeros(many, np.int64))
    diffs = np.full(many, 1 << 20, np.int64)
    (once,) = {digest_of_rows((column.slice(0, 1),), np.ones(1, np.int64))}
    assert digest_of_rows((column,), diffs) == once * many * 2**20 % 2**128


def test_it_travels_as_sixteen_bytes() -> None:
    assert digest_bytes(EMPTY) == bytes(CONTENT_DIGEST_BYTES)
    assert digest_bytes(258)[-2:] == b"\x01\x02"

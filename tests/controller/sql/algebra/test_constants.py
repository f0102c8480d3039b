"""Rows of plan values become a batch."""

from __future__ import annotations

from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.protocol.schema import INT32, TEXT, Column, Schema


def test_rows_become_a_batch() -> None:
    schema = Schema((Column(name="a", type=INT32), Column(name="b", type=TEXT)))
    assert batch_of(schema, [(1, "x"), (None, None)]).to_pylist() == [
        {"a": 1, "b": "x"},
        {"a": None, "b": None},
    ]
    assert batch_of(schema, []).num_rows == 0

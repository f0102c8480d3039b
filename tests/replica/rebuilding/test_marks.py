"""Keys that are marked, and rows that are not of one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.rebuilding.marks import Marks

KEYS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("xyz")), max_size=8)


def rows(keys: list[tuple[int, str]]) -> Zset:
    """Their key is in the last column and the first."""
    numbers, words = [key[0] for key in keys], [key[1] for key in keys]
    columns = (
        pa.array(words, pa.string()),
        pa.array(["other"] * len(keys), pa.string()),
        pa.array(numbers, pa.int64()),
    )
    return Zset(columns, np.where(np.arange(len(keys)) % 2, -1, 1))


@settings(max_examples=100)
@given(st.lists(KEYS, max_size=5), KEYS, st.sampled_from([0, 3, 100]))
def test_what_is_missing_was_never_marked(
    marked: list[list[tuple[int, str]]], asked: list[tuple[int, str]], fuel: int
) -> None:
    marks = Marks((2, 0))
    for keys in marked:
        marks.add(rows(keys))
        marks.maintain(fuel)
    known = {key for keys in marked for key in keys}
    found = marks.missing(rows(asked)).tolist()
    assert found == [place for place, key in enumerate(asked) if key not in known]

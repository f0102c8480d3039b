"""A feed's overwrites become the differences of a dictionary."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.replica.dataflow.arrangements.batch import build_batch
from antiphon.replica.dataflow.arrangements.spine import Spine
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.overwrites import differences
from tests.reference.plans import clean
from tests.replica.dataflow.changes import add, rows_of, zset

SCHEMA = Schema(
    tuple(
        Column(name=n, type=t)
        for n, t in (("key", INT64), ("part", TEXT), ("value", TEXT), ("n", INT64))
    )
)
KEY = (0, 1)
KEYS = st.tuples(st.integers(0, 3), st.sampled_from(["", "x"]))
VALUES = st.tuples(st.none() | st.sampled_from(["a", "b"]), st.none() | st.integers(0, 1))
TICK = st.dictionaries(KEYS, st.none() | VALUES, max_size=5)


def apply(state: Spine, overwrites: Zset) -> Zset:
    """The differences, which are there from then on."""
    found = differences(overwrites, KEY, state.batches)
    state.insert(build_batch(found.columns, found.diffs, KEY))
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(TICK, max_size=6), st.sampled_from([0, 2, 100]))
def test_overwrites_are_the_differences_of_a_dictionary(
    changes: list[dict[tuple[int, str], tuple[Any, ...] | None]], fuel: int
) -> None:
    state, seen = Spine(KEY), Counter[Any]()
    content: dict[tuple[int, str], tuple[Any, ...]] = {}
    for tick in changes:
        rows: list[tuple[tuple[Any, ...], int]] = []
        for key, value in tick.items():
            if value is None:
                content.pop(key, None)
                rows.append(((*key, None, None), -1))
            else:
                content[key] = value
                rows.append(((*key, *value), 1))
        found, _ = rows_of(apply(state, zset(SCHEMA, rows)))
        add(seen, found)
        assert clean(seen) == Counter((*key, *value) for key, value in content.items())
        state.maintain(fuel)


def test_the_last_overwrite_of_a_key_counts() -> None:
    rows = [
        ((1, "", "old", 0), 1),
        ((1, "", "new", 0), 1),
        ((2, "", "x", 0), 1),
        ((2, "", None, None), -1),
    ]
    found = apply(Spine(KEY), zset(SCHEMA, rows))
    assert rows_of(found)[0] == {(1, "", "new", 0): 1}


def test_what_changes_nothing_yields_nothing_and_errors_pass() -> None:
    state = Spine(KEY)
    change = zset(SCHEMA, [((1, "", "a", 0), 1), ((2, "", None, None), -1)])
    assert apply(state, change).row_count == 1
    assert apply(state, change).is_empty
    assert pa.types.is_string(apply(state, change).columns[1].type)
    errors = pa.array(["22012"]), pa.array(["division by zero"]), pa.array(["k / 0"])
    nothing = Zset.empty(SCHEMA)
    wrong = Zset(nothing.columns, nothing.diffs, Zset(errors, change.diffs[:1]))
    found = apply(state, wrong)
    assert found.row_count == 0
    assert found.errors is not None
    assert found.errors.row_count == 1

"""A feed's overwrites become the differences of a dictionary."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.replica.dataflow.overwrites import Overwrites
from tests.reference.plans import clean
from tests.replica.dataflow.changes import add, rows_of, zset

SCHEMA = Schema(
    tuple(
        Column(name=n, type=t)
        for n, t in (("key", INT64), ("part", TEXT), ("value", TEXT), ("n", INT64))
    )
)
KEYS = st.tuples(st.integers(0, 3), st.sampled_from(["", "x"]))
VALUES = st.tuples(st.none() | st.sampled_from(["a", "b"]), st.none() | st.integers(0, 1))
TICK = st.dictionaries(KEYS, st.none() | VALUES, max_size=5)


@settings(max_examples=100, deadline=None)
@given(st.lists(TICK, max_size=6), st.sampled_from([0, 2, 100]))
def test_overwrites_are_the_differences_of_a_dictionary(changes, fuel):
    state, content, seen = Overwrites(SCHEMA, (0, 1)), {}, Counter()
    for tick in changes:
        rows = []
        for key, value in tick.items():
            if value is None:
                content.pop(key, None)
                rows.append(((*key, None, None), -1))
            else:
                content[key] = value
                rows.append(((*key, *value), 1))
        found, _ = rows_of(state.apply(zset(SCHEMA, rows)))
        add(seen, found)
        assert clean(seen) == Counter((*key, *value) for key, value in content.items())
        assert state.row_count == len(content)
        state.maintain(fuel)


def test_the_last_overwrite_of_a_key_counts():
    state = Overwrites(SCHEMA, (0, 1))
    rows = [
        ((1, "", "old", 0), 1),
        ((1, "", "new", 0), 1),
        ((2, "", "x", 0), 1),
        ((2, "", None, None), -1),
    ]
    found = state.apply(zset(SCHEMA, rows))
    assert rows_of(found)[0] == {(1, "", "new", 0): 1}


def test_what_changes_nothing_yields_nothing_and_errors_pass():
    state = Overwrites(SCHEMA, (0, 1))
    change = zset(SCHEMA, [((1, "", "a", 0), 1), ((2, "", None, None), -1)])
    assert state.apply(change).row_count == 1
    assert state.apply(change).is_empty
    assert state.byte_count > 0
    assert pa.types.is_string(state.apply(change).columns[1].type)

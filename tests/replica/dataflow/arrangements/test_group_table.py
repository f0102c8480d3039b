"""A group table is a dictionary from keys to numbers, and gives back what it no longer needs."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.row_hash import hash_rows
from antiphon.replica.dataflow.arrangements.group_table import MISSING, GroupTable

TICK = st.dictionaries(
    st.integers(0, 12), st.tuples(st.integers(-1, 1), st.integers(0, 1)), max_size=10
)


def keys_of(numbers):
    high, low = hash_rows([pa.array(numbers, pa.int64())])
    order = np.argsort(low)
    return low[order], high[order], [numbers[i] for i in order]


@settings(max_examples=100, deadline=None)
@given(st.lists(TICK, max_size=12), st.sampled_from([0, 3, 1_000]), st.sampled_from([2, 7]))
def test_it_reads_what_was_last_written(ticks, fuel, width):
    table, model = GroupTable(width), {}
    rest = (0,) * (width - 2)
    for tick in ticks:
        low, high, keys = keys_of(list(tick))
        slots, found = table.look_up(low, high)
        assert [s != MISSING for s in slots.tolist()] == [key in model for key in keys]
        assert found.tolist() == [list(model.get(key, (0, 0)) + rest) for key in keys]
        numbers = np.zeros((len(keys), width), np.int64)
        numbers[:, :2] = np.array([tick[key] for key in keys], np.int64).reshape(-1, 2)
        table.write(slots, low, high, numbers)
        model.update(tick)
        model = {key: value for key, value in model.items() if any(value)}
        assert table.group_count == len(model)
        table.maintain(fuel)


def test_an_empty_table_holds_no_more_than_a_new_one():
    table = GroupTable(3)
    for start in range(0, 5_000, 500):
        low, high, keys = keys_of(list(range(start, start + 500)))
        table.write(table.look_up(low, high)[0], low, high, np.ones((len(keys), 3), np.int64))
    assert table.group_count == 5_000
    low, high, keys = keys_of(list(range(5_000)))
    table.write(table.look_up(low, high)[0], low, high, np.zeros((len(keys), 3), np.int64))
    assert table.group_count == 0
    assert table.byte_count == GroupTable(3).byte_count


def test_slots_are_used_again():
    table = GroupTable(1)
    for start in range(0, 100_000, 1_000):
        low, high, keys = keys_of(list(range(start, start + 1_000)))
        table.write(table.look_up(low, high)[0], low, high, np.ones((len(keys), 1), np.int64))
        gone = keys_of(list(range(max(0, start - 1_000), start))) if start else None
        if gone is not None:
            table.write(table.look_up(*gone[:2])[0], *gone[:2], np.zeros((1_000, 1), np.int64))
        while table.maintain(10_000):
            pass
    assert table.group_count == 1_000
    assert table.byte_count < 400_000

"""Words agree where SQL's equality does, and tell apart what it tells apart."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.words import key_identity, key_words, row_words

INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.lists(st.none() | st.integers(-3, 3) | INTEGERS, min_size=1, max_size=20)
NULL_WORD_VALUE = 0x6A09E667F3BCC909 * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64


def pairs(columns, count):
    low, high = key_identity(columns, count)
    assert (low == key_words(columns, count)).all(), "grouped and looked up by the same word"
    return list(zip(low.tolist(), high.tolist(), strict=True))


@given(VALUES)
def test_an_integer_is_told_from_every_other_and_from_null(values):
    found = dict(zip(values, pairs([pa.array(values, pa.int64())], len(values)), strict=True))
    assert len(set(found.values())) == len(found)
    for value, pair in found.items():
        assert pairs([pa.array([value], pa.int64())], 1) == [pair], "whatever stands beside it"


def test_the_integer_that_shares_the_word_of_null_is_told_from_it():
    value = NULL_WORD_VALUE - 2**64 if NULL_WORD_VALUE >= 2**63 else NULL_WORD_VALUE
    column = pa.array([value, None], pa.int64())
    low = key_words([column], 2)
    assert low[0] == low[1], "the one collision"
    assert len(set(pairs([column], 2))) == 2
    assert pairs([column], 2)[0] == pairs([column.slice(0, 1)], 1)[0]


@given(VALUES, st.integers(0, 10))
def test_integers_and_decimals_of_one_value_meet(values, scale):
    scale = min(scale, 38 - 19)
    integers = pa.array(values, pa.int64())
    decimals = pa.array(
        [None if v is None else Decimal(v).scaleb(0) for v in values], pa.decimal128(38, 0)
    ).cast(pa.decimal128(38, scale))
    assert (key_words([integers], len(values)) == key_words([decimals], len(values))).all()
    narrow = [v if v is not None and abs(v) < 2**15 else None for v in values]
    for kind in (pa.int16(), pa.int32()):
        words = key_words([pa.array(narrow, kind)], len(narrow))
        assert (words == key_words([pa.array(narrow, pa.int64())], len(narrow))).all()


def test_decimals_that_are_no_integers_have_words_of_their_own():
    values = [Decimal(n).scaleb(-2) for n in range(-500, 500)] + [Decimal(2**80), None]
    column = pa.array(values, pa.decimal128(38, 2))
    assert len(set(pairs([column], len(values)))) == len(values)


def test_zeros_and_nans_of_a_float_key_meet():
    words = key_words([pa.array([0.0, -0.0, float("nan"), -float("nan")])], 4)
    assert words[0] == words[1]
    assert words[2] == words[3]


@given(st.lists(st.tuples(st.none() | INTEGERS, st.none() | st.integers(-9, 9)), min_size=1))
def test_equal_rows_have_equal_words_wherever_they_stand(rows):
    columns = [pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows])]
    columns[1] = columns[1].cast(pa.int32())
    words = row_words(columns, len(rows)).tolist()
    seen = {}
    for row, word in zip(rows, words, strict=True):
        assert seen.setdefault(row, word) == word
    one = row_words([c.slice(len(rows) - 1) for c in columns], 1)
    assert one.tolist() == words[-1:]


def test_row_words_spread_over_their_upper_bits():
    numbers = np.arange(100_000)
    words = row_words([pa.array(numbers), pa.array(numbers % 50)], len(numbers))
    upper = words >> np.uint64(40)
    assert len(np.unique(upper)) > 99_000, "24 bits tell nearly all of them apart"
    assert len(np.unique(key_words([pa.array(numbers)], len(numbers)) >> np.uint64(24))) == 100_000

"""The vectorised row hash equals the specification, its vectors, and itself under slicing."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.row_hash import hash_keys, hash_rows
from tests.reference.row_hash import row_hash

DOCUMENT = Path(__file__).parents[2] / "docs" / "row_hash.md"
LISTS = pa.list_(pa.int64())
PAIR = pa.struct([("a", pa.float64()), ("b", pa.string())])
ARROW = {
    "boolean": pa.bool_(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
    "numeric": pa.decimal128(38, 6), "real": pa.float32(), "double": pa.float64(),
    "text": pa.string(), "bytea": pa.binary(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"), "interval": pa.month_day_nano_interval(),
    "uuid": pa.binary(16), "bigint[]": pa.list_(pa.int64()), "text[]": pa.list_(pa.string()),
    "double[]": pa.list_(pa.float64()), "bigint[][]": pa.list_(pa.list_(pa.int64())),
    "(double,text)": PAIR, "(double,text)[]": pa.list_(PAIR),
}  # fmt: skip

INT64 = st.integers(-(2**63), 2**63 - 1)
PAIRS = st.tuples(st.none() | st.floats(), st.none() | st.text(max_size=9))
VALUES = {
    "boolean": st.booleans(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": INT64,
    "numeric": st.integers(-(10**37), 10**37).map(lambda n: str(Decimal(n).scaleb(-6)))
    | st.integers(-(10**9), 10**9).map(str),
    "double": st.floats(),
    "real": st.floats(width=32),
    "text": st.text(max_size=40),
    "bytea": st.binary(max_size=40).map(bytes.hex),
    "date": st.integers(-(2**31), 2**31 - 1),
    "timestamp": INT64,
    "timestamptz": INT64,
    "interval": st.tuples(
        st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**53), 2**53),
    ),
    "uuid": st.binary(min_size=16, max_size=16).map(bytes.hex),
    "bigint[]": st.lists(st.none() | INT64, max_size=5),
    "text[]": st.lists(st.none() | st.text(max_size=12), max_size=5),
    "double[]": st.lists(st.none() | st.floats(), max_size=4),
    "bigint[][]": st.lists(st.none() | st.lists(st.none() | INT64, max_size=3), max_size=3),
    "(double,text)": PAIRS,
    "(double,text)[]": st.lists(st.none() | PAIRS, max_size=3),
}  # fmt: skip
KINDS = sorted(VALUES)


def column(kind, values):
    arrow = ARROW[kind]
    if kind == "numeric":
        values = [None if v is None else Decimal(v) for v in values]
    elif kind in ("bytea", "uuid"):
        values = [None if v is None else bytes.fromhex(v) for v in values]
    elif kind == "interval":
        values = [None if v is None else pa.MonthDayNano([v[0], v[1], v[2] * 1000]) for v in values]
    elif kind in ("date", "timestamp", "timestamptz"):
        stored = pa.int32() if kind == "date" else pa.int64()
        return pa.array(values, stored).view(arrow)
    if kind == "(double,text)":
        values = [None if v is None else tuple(v) for v in values]
    elif kind == "(double,text)[]":
        values = [v and [None if e is None else tuple(e) for e in v] for v in values]
    return pa.array(values, arrow)  # tuples are structs where the type says so


def hashes(columns):
    high, low = hash_rows(columns)
    return [int(h) << 64 | int(n) for h, n in zip(high, low, strict=True)]


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    rows = draw(st.integers(1, 6))
    return [(k, draw(st.lists(st.none() | VALUES[k], min_size=rows, max_size=rows))) for k in kinds]


@given(tables())
@settings(max_examples=150, deadline=None)
def test_the_vectorised_hash_is_the_specified_one(table):
    columns = [column(kind, values) for kind, values in table]
    rows = zip(*[[(kind, v) for v in values] for kind, values in table], strict=True)
    assert hashes(columns) == [row_hash(row) for row in rows]


@given(tables(), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_a_slice_hashes_as_its_rows_do(table, start, count):
    columns = [column(kind, values) for kind, values in table]
    sliced = [c.slice(start, count) for c in columns]
    if len(sliced[0]):
        assert hashes(sliced) == hashes(columns)[start : start + count]


def vectors():
    text = DOCUMENT.read_text().split("```vectors\n")[1].split("```")[0]
    return [json.loads(line) for line in text.splitlines()]


def test_the_vectors_of_the_document_hold():
    found = vectors()
    assert len(found) > 20, "the document lost its vectors"
    for columns, expected in found:
        assert f"{row_hash(columns):032x}" == expected
        assert hashes([column(k, [v]) for k, v in columns]) == [int(expected, 16)], columns


def test_equal_sql_values_hash_equal():
    one = hashes([pa.array([1], pa.int64())])
    for same in (
        pa.array([1], pa.int16()), pa.array([1], pa.int32()),
        pa.array([Decimal(1)], pa.decimal128(38, 0)), pa.array([Decimal("1.00")]),
        pa.array([Decimal(1)], pa.decimal128(38, 30)),
    ):  # fmt: skip
        assert hashes([same]) == one
    wide = Decimal("12345678901234567890123.45")
    assert hashes([pa.array([wide], pa.decimal128(38, 2))]) == hashes(
        [pa.array([wide], pa.decimal128(38, 10))]
    )
    assert hashes([pa.array([-0.0])]) == hashes([pa.array([0.0])])
    nan = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert len(set(hashes([pa.array(nan, from_pandas=False)]))) == 1
    for one, other in ((0.0, -0.0), (nan[0], nan[1])):
        lists = pa.array([[one, None], [other, None]])
        structs = pa.array([{"a": [one]}, {"a": [other]}])
        assert len(set(hashes([lists]))) == len(set(hashes([structs]))) == 1
    month, days = pa.MonthDayNano([1, 0, 0]), pa.MonthDayNano([0, 29, 86_400 * 10**9])
    assert len(set(hashes([pa.array([month, days])]))) == 1
    encoded = pa.array(["a", "b", "a", None]).dictionary_encode()
    assert hashes([encoded]) == hashes([encoded.dictionary_decode()])
    assert hashes([pa.array(["a"], pa.large_string())]) == hashes([pa.array(["a"])])


def test_different_rows_hash_differently():
    texts = ["", "a", "\0", "a\0", "ab", "ba", "12345678", "123456789", "12345678\0"]
    assert len(set(hashes([pa.array(texts)]))) == len(texts)
    numbers = pa.array(range(100_000))
    assert len(set(hashes([numbers]))) == len(numbers)
    grid = np.arange(100_000)
    pairs = hashes([pa.array(grid % 317), pa.array(grid // 317)])
    assert len(set(pairs)) == len(pairs)
    a, b = pa.array([1, None, 3]), pa.array([2, 0, None])
    assert not set(hashes([a, b])) & set(hashes([b, a]))


def test_what_is_null_empty_or_neither_hashes_differently():
    lists = pa.array([None, [], [None], [None, None], [[]], [[None]], [[], []]], pa.list_(LISTS))
    assert len(set(hashes([lists]))) == len(lists)
    structs = pa.array([None, (None, None), (0.0, None), (None, "")], PAIR)
    assert len(set(hashes([structs]))) == len(structs)


def test_rows_without_columns_hash_alike_and_nothing_hashes_to_nothing():
    assert [len(half) for half in hash_rows([], 3)] == [3, 3]
    assert len(hash_keys([pa.array([], pa.string())])) == 0


def test_a_type_that_stores_no_sql_type_is_refused():
    with pytest.raises(TypeError, match="no SQL type"):
        hash_rows([pa.array([1], pa.duration("s"))])

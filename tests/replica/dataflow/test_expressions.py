"""Three-valued logic, guarded errors, and functions whose arguments differ row by row."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import Branch, Call, Case, Cast, ColumnReference
from antiphon.protocol.expression import Literal as L
from antiphon.protocol.schema import (
    BOOLEAN,
    INT32,
    INT64,
    TEXT,
)
from antiphon.replica.dataflow.expressions.evaluate import evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from tests.replica.dataflow.examples import run

TRUTH = [True, False, None]


@pytest.mark.parametrize("name", ["and", "or"])
def test_three_valued_logic(name):
    a = pa.array([x for x in TRUTH for _ in TRUTH])
    b = pa.array(TRUTH * 3)
    parts = tuple(ColumnReference(index=i, type=BOOLEAN) for i in (0, 1))
    values, _ = run(Call(function=name, arguments=parts, type=BOOLEAN), (a, b))
    decisive = name == "or"
    expected = [
        decisive if decisive in (x, y) else None if None in (x, y) else not decisive
        for x in TRUTH for y in TRUTH
    ]  # fmt: skip
    assert values == expected


def test_null_tests_see_nulls():
    column = pa.array([1, None, 2])
    other = pa.array([1, None, None])
    pair = tuple(ColumnReference(index=i, type=INT64) for i in (0, 1))

    def one(name, *arguments):
        return run(Call(function=name, arguments=arguments, type=BOOLEAN), (column, other))[0]

    assert one("is_null", pair[0]) == [False, True, False]
    assert one("is_not_null", pair[0]) == [True, False, True]
    assert one("is_distinct_from", *pair) == [False, False, True]
    assert one("is_not_distinct_from", *pair) == [True, True, False]


COLUMN = ColumnReference(index=0, type=INT64)
RATIO = Call(function="divide", arguments=(L(value=6, type=INT64), COLUMN), type=INT64)
NONZERO = Call(function="not_equal", arguments=(COLUMN, L(value=0, type=INT64)), type=BOOLEAN)
LARGE = Call(function="greater", arguments=(RATIO, L(value=2, type=INT64)), type=BOOLEAN)


@pytest.mark.parametrize(
    ("expression", "values", "failed"),
    [
        (RATIO, [None, 3, None], {0}),
        (
            Call(function="and", arguments=(NONZERO, LARGE), type=BOOLEAN),
            [False, True, None],
            set(),
        ),
        (Call(function="and", arguments=(LARGE, NONZERO), type=BOOLEAN), [None, True, None], {0}),
        (
            Case(
                branches=(Branch(condition=NONZERO, value=RATIO),),
                otherwise=L(value=-1, type=INT64),
                type=INT64,
            ),
            [-1, 3, -1],
            set(),
        ),
        (Call(function="coalesce", arguments=(COLUMN, RATIO), type=INT64), [0, 2, None], set()),
        (
            Call(function="coalesce", arguments=(L(value=None, type=INT64), RATIO), type=INT64),
            [None, 3, None],
            {0},
        ),
    ],
)
def test_errors_fire_only_where_they_are_reached(expression, values, failed):
    found, codes = run(expression, (pa.array([0, 2, None]),))
    assert set(codes) == failed
    assert [v for i, v in enumerate(found) if i not in failed] == [
        v for i, v in enumerate(values) if i not in failed
    ]


def test_a_failed_cast_says_what_it_was_given():
    frame = Frame((pa.array(["1", "x", None, "y"]),), 4)
    column = ColumnReference(index=0, type=TEXT)
    evaluate(frame, Cast(input=column, type=INT32))
    (error,) = frame.errors
    assert error.messages[1].as_py() == 'invalid input syntax for type integer: "x"'
    assert np.flatnonzero(error.rows).tolist() == [1, 3]


TEXTS = st.none() | st.text(alphabet="abé ,%_\\☃", max_size=12)
NUMBERS = st.none() | st.integers(-5, 15)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, NUMBERS), min_size=1, max_size=8))
def test_functions_of_columns_are_those_of_each_row(rows):
    columns = (
        pa.array([r[0] for r in rows], pa.string()), pa.array([r[1] for r in rows], pa.string()),
        pa.array([r[2] for r in rows], pa.int32()),
    )  # fmt: skip
    text, other, number = (
        ColumnReference(index=i, type=t) for i, t in enumerate((TEXT, TEXT, INT32))
    )
    calls = {
        ("position", text, other): lambda a, b, n: a.find(b) + 1,
        ("replace", text, other, text): lambda a, b, n: a.replace(b, a) if b else a,
        ("left", text, number): lambda a, b, n: a[:n],
        ("substring", text, number): lambda a, b, n: a[max(n - 1, 0) :],
        ("starts_with", text, other): lambda a, b, n: a.startswith(b),
        ("contains", text, other): lambda a, b, n: b in a,
        ("repeat", text, number): lambda a, b, n: a * max(n, 0),
        ("reverse", text): lambda a, b, n: a[::-1],
        ("concat", text, other): lambda a, b, n: a + b,
        ("md5", text): lambda a, b, n: hashlib.md5(a.encode()).hexdigest(),
    }
    kinds = {"position": INT32, "starts_with": BOOLEAN, "contains": BOOLEAN}
    for (name, *arguments), function in calls.items():
        kind = kinds.get(name, TEXT)
        found, _ = run(Call(function=name, arguments=tuple(arguments), type=kind), columns)
        for row, value in zip(rows, found, strict=True):
            given_ = [row[a.index] for a in arguments]
            assert value == (None if None in given_ else function(*row)), name


def test_md5_of_every_length():
    texts = ["x" * n for n in range(200)]
    call = Call(function="md5", arguments=(ColumnReference(index=0, type=TEXT),), type=TEXT)
    found, _ = run(call, (pa.array(texts).slice(3),))
    assert found == [hashlib.md5(t.encode()).hexdigest() for t in texts[3:]]

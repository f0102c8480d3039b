"""What the planner computes is what a replica would have computed."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.algebra.plans import ONE_ROW, computed
from antiphon.controller.sql.binding.types import arithmetic_type, castable
from antiphon.protocol.expression import Call, Cast, Expression, Interval, Literal, Value
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Column,
    Type,
    decimal,
    list_of,
    struct_of,
)
from antiphon.replica.dataflow.graph import evaluate_once

EXACT = (INT16, INT32, INT64, decimal(5, 2), decimal(18, 6), decimal(38, 16))
VALUES: dict[Type, st.SearchStrategy[Value]] = {
    BOOLEAN: st.booleans(),
    INT16: st.integers(-(2**15), 2**15 - 1),
    INT32: st.one_of(st.integers(-9, 9), st.integers(-(2**31), 2**31 - 1)),
    INT64: st.one_of(st.integers(-9, 9), st.integers(-(2**63), 2**63 - 1)),
    FLOAT64: st.one_of(
        st.integers(-9, 9).map(float), st.floats(-1e6, 1e6), st.sampled_from([0.5, 1.5, -2.5])
    ),
    decimal(5, 2): st.decimals(Decimal("-999.99"), Decimal("999.99"), places=2),
    decimal(18, 6): st.decimals(Decimal(-(10**12) + 1), Decimal(10**12 - 1), places=6),
    decimal(38, 16): st.decimals(Decimal(-(10**9)), Decimal(10**9), places=16),
    TEXT: st.sampled_from(
        [
            "",
            "a",
            "Zz",
            "12",
            "-3.5",
            "yes",
            "2026-02-03",
            "1e2",
            " 7 ",
            "1 day",
            "1 day 3",
            "1 year 2 mons -3 days 04:05:06.7",
            "-2:30",
            "1.5 months",
            "2 weeks ago",
            "99999999999",
            "2026-02-03 04:05:06.789",
            "2026-02-03T04:05",
            "infinity",
            "0x1f",
            "1_000",
            "t",
        ]
    ),
    DATE: st.integers(-100_000, 100_000),
    TIMESTAMP: st.integers(-(10**15), 10**15),
    TIMESTAMPTZ: st.integers(-(10**15), 10**15),
    INTERVAL: st.builds(
        Interval,
        months=st.integers(-50, 50),
        days=st.integers(-400, 400),
        microseconds=st.integers(-(10**11), 10**11),
    ),
}


@st.composite
def literals(draw: st.DrawFn, kind: Type) -> Literal:
    value = draw(st.one_of(st.none(), VALUES[kind], VALUES[kind], VALUES[kind]))
    return Literal(value=value, type=kind)


def on_the_replica(expression: Expression) -> object:
    """The value, or the name of an error."""
    result = evaluate_once(computed(ONE_ROW, [expression]), {}, {})
    if result.errors is not None and result.errors.row_count:
        return "error"
    return result.columns[0].to_pylist()[0]


def check(expression: Expression) -> None:
    folded = fold(expression)
    assume(isinstance(folded, Literal))
    assert isinstance(folded, Literal)
    assert folded.type == expression.type
    ours = literal_array(folded.type, [folded.value]).to_pylist()[0]
    theirs = on_the_replica(expression)
    if isinstance(ours, float) and isinstance(theirs, float):
        assert math.isclose(ours, theirs, rel_tol=1e-15) or ours == theirs
    else:
        assert ours == theirs


@given(st.data(), st.sampled_from(EXACT), st.sampled_from(["add", "subtract", "multiply"]))
def test_exact_arithmetic(data: st.DataObject, kind: Type, function: str) -> None:
    parts = (data.draw(literals(kind)), data.draw(literals(kind)))
    check(Call(function=function, arguments=parts, type=arithmetic_type(function, kind, kind)))


@given(st.data(), st.sampled_from((*EXACT, FLOAT64)))
def test_division(data: st.DataObject, kind: Type) -> None:
    parts = (data.draw(literals(kind)), data.draw(literals(kind)))
    check(Call(function="divide", arguments=parts, type=arithmetic_type("divide", kind, kind)))
    if kind.is_integer:
        check(Call(function="modulo", arguments=parts, type=kind))


@given(st.data(), st.sampled_from((*EXACT, TEXT, DATE, TIMESTAMP, BOOLEAN)))
def test_comparisons(data: st.DataObject, kind: Type) -> None:
    parts = (data.draw(literals(kind)), data.draw(literals(kind)))
    functions = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
    function = data.draw(st.sampled_from(functions))
    check(Call(function=function, arguments=parts, type=BOOLEAN))
    check(Call(function="nullif", arguments=parts, type=kind))


@given(st.data(), st.sampled_from(list(VALUES)), st.sampled_from([*VALUES, FLOAT32]))
def test_casts(data: st.DataObject, given_type: Type, wanted: Type) -> None:
    assume(castable(given_type, wanted))
    check(Cast(input=data.draw(literals(given_type)), type=wanted))


@given(st.data(), st.sampled_from((TIMESTAMP, TIMESTAMPTZ)), st.sampled_from(["add", "subtract"]))
def test_moments_and_intervals(data: st.DataObject, kind: Type, function: str) -> None:
    moment, span = data.draw(literals(kind)), data.draw(literals(INTERVAL))
    check(Call(function=function, arguments=(moment, span), type=kind))
    check(Call(function="subtract", arguments=(moment, data.draw(literals(kind))), type=INTERVAL))


@given(st.data(), st.sampled_from(["add", "subtract"]))
def test_days(data: st.DataObject, function: str) -> None:
    day = data.draw(literals(DATE))
    check(Call(function=function, arguments=(day, data.draw(literals(INT32))), type=DATE))
    check(Call(function="subtract", arguments=(day, data.draw(literals(DATE))), type=INT32))


@given(st.data(), st.sampled_from(["and", "or"]))
def test_three_valued_logic(data: st.DataObject, function: str) -> None:
    parts = tuple(data.draw(literals(BOOLEAN)) for _ in range(3))
    check(Call(function=function, arguments=parts, type=BOOLEAN))
    check(Call(function="not", arguments=parts[:1], type=BOOLEAN))


@given(st.data(), st.sampled_from(["lower", "upper", "length", "concat"]))
def test_text(data: st.DataObject, function: str) -> None:
    parts = tuple(data.draw(literals(TEXT)) for _ in range(2 if function == "concat" else 1))
    check(Call(function=function, arguments=parts, type=INT32 if function == "length" else TEXT))


INSIDE = (INT16, INT64, decimal(5, 2), TEXT, DATE, BOOLEAN)


@given(st.data(), st.sampled_from(INSIDE), st.sampled_from(INSIDE))
def test_lists_and_structs(data: st.DataObject, kind: Type, other: Type) -> None:
    parts = tuple(data.draw(literals(kind)) for _ in range(data.draw(st.integers(1, 3))))
    made = Call(function="list", arguments=parts, type=list_of(kind))
    check(made)
    check(Call(function="list_length", arguments=(made,), type=INT32))
    fields = (parts[0], data.draw(literals(other)))
    columns = [Column(name=n, type=f.type) for n, f in zip("ab", fields, strict=True)]
    struct = Call(function="struct", arguments=fields, type=struct_of(*columns))
    check(struct)
    check(Call(function="field", arguments=(struct, Literal(value=1, type=INT32)), type=other))
    wanted = struct_of(Column(name="p", type=other), Column(name="q", type=other))
    if castable(kind, other):
        for cast in (Cast(input=made, type=list_of(other)), Cast(input=struct, type=wanted)):
            if isinstance(fold(cast), Literal):
                check(cast)

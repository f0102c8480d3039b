"""Aggregates that read their group again, change by change, against one value after another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction, Reduce, SortKey
from antiphon.protocol.schema import FLOAT64, INT64, TEXT, Type, TypeKind
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.replica.dataflow.changes import SCHEMA, A, check_plan, get, ticks

K, N, X, S, M, D, FLAG = (
    ColumnReference(index=i, type=column.type) for i, column in enumerate(SCHEMA.columns)
)


def aggregate(function, argument, *constants, kind=None, **options):
    literals = tuple(
        Literal(value=v, type=TEXT if isinstance(v, str) else FLOAT64) for v in constants
    )
    return Aggregate(
        function=AggregateFunction[function], arguments=(argument, *literals),
        type=kind or argument.type, **options,
    )  # fmt: skip


def array(argument, **options):
    kind = Type(kind=TypeKind.LIST, element=argument.type)
    return aggregate("ARRAY_AGG", argument, kind=kind, **options)


def down(column, *, nulls_first=False):
    key = SortKey(column=column.index, descending=True, nulls_first=nulls_first)
    return {"order_by": (key,)}


AGGREGATES = (
    array(K),
    array(S, **down(S, nulls_first=True)),
    array(X, distinct=True),
    array(M, filter=FLAG),
    aggregate("STRING_AGG", S, ", "),
    aggregate("STRING_AGG", S, "", distinct=True, filter=FLAG, **down(S)),
    aggregate("PERCENTILE_CONT", X, 0.5),
    aggregate("PERCENTILE_CONT", X, 0.3, **down(X)),
    aggregate("PERCENTILE_CONT", X, 1.0, distinct=True),
    aggregate("PERCENTILE_DISC", M, 0.5),
    aggregate("PERCENTILE_DISC", S, 0.0, **down(S)),
    aggregate("PERCENTILE_DISC", K, 1.0, filter=FLAG),
    aggregate("MODE", K),
    aggregate("MODE", X, **down(X)),
    aggregate("MODE", D),
    aggregate("BIT_AND", K),
    aggregate("BIT_OR", N),
    aggregate("BIT_XOR", N),
    aggregate("BIT_XOR", K, distinct=True),
    aggregate("COUNT", S, kind=INT64),
    aggregate("VAR_POP", N, kind=FLOAT64, distinct=True),
    aggregate("STDDEV_SAMP", M, kind=FLOAT64, filter=FLAG),
    aggregate("MAX", S),
)


@settings(max_examples=120, deadline=None)
@given(changes=ticks(), chosen=st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=4))
def test_of_groups(changes, chosen):
    plan = Reduce(input=get(), keys=(FLAG,), aggregates=tuple(chosen))
    assert check_plan(plan, changes).state_rows == 0, "state is left when all rows are gone"


@settings(max_examples=60, deadline=None)
@given(changes=ticks(), chosen=st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=4))
def test_without_keys(changes, chosen):
    check_plan(Reduce(input=get(), keys=(), aggregates=tuple(chosen)), changes)


@pytest.mark.parametrize("name", ["PERCENTILE_CONT", "PERCENTILE_DISC", "STRING_AGG"])
def test_what_has_to_be_a_literal_is_one(name):
    bad = Aggregate(function=AggregateFunction[name], arguments=(X, X), type=FLOAT64)
    with pytest.raises(NotServed, match="literal"):
        Dataflow.build(
            Reduce(input=get(), keys=(), aggregates=(bad,)), {A: ImportSpec(schema=SCHEMA)}
        )

"""Plans: the columns of each node, its inputs, what it reads."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings

from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Plan,
    Reduce,
    Union,
    Window,
    WindowFunction,
    children,
    imports_of,
    schema_of,
)
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT, Column, Schema, Type
from tests.protocol import strategies

A = Column(name="a", type=INT64, nullable=False)
B = Column(name="b", type=TEXT, nullable=False)
ONE = Get(collection=CollectionId(1), schema=Schema((A,)))
TWO = Get(collection=CollectionId(2), schema=Schema((B,)))
KEY = ColumnReference(index=0, type=INT64)
TRUE = Literal(value=True, type=BOOLEAN)


def unnamed(kind: Type) -> Column:
    return Column(name="", type=kind)


def maybe(column: Column) -> Column:
    return Column(name=column.name, type=column.type)


def join(kind: JoinKind) -> Join:
    return Join(kind=kind, left=ONE, right=TWO, left_keys=(), right_keys=())


@pytest.mark.parametrize(
    ("plan", "columns"),
    [
        (ONE, (A,)),
        (
            MapFilterProject(input=ONE, maps=(TRUE,), filters=(), project=(1, 0, 0)),
            (unnamed(BOOLEAN), A, A),
        ),
        (join(JoinKind.INNER), (A, B)),
        (join(JoinKind.LEFT), (A, maybe(B))),
        (join(JoinKind.RIGHT), (maybe(A), B)),
        (join(JoinKind.FULL), (maybe(A), maybe(B))),
        (join(JoinKind.SEMI), (A,)),
        (join(JoinKind.ANTI), (A,)),
        (
            Reduce(
                input=ONE,
                keys=(KEY,),
                aggregates=(
                    Aggregate(function=AggregateFunction.BOOL_AND, arguments=(), type=BOOLEAN),
                ),
            ),
            (unnamed(INT64), unnamed(BOOLEAN)),
        ),
        (
            Window(
                input=ONE,
                partition_by=(),
                order_by=(),
                functions=(WindowFunction(name="rank", arguments=(), type=INT64),),
            ),
            (A, unnamed(INT64)),
        ),
        (Union(inputs=(TWO, TWO)), (B,)),
        (Let(binding=0, value=ONE, body=TWO), (B,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_columns_of_a_node(plan: Plan, columns: tuple[Column, ...]) -> None:
    assert schema_of(plan).columns == columns


def inputs(plan: Plan) -> tuple[Any, ...]:
    """Children by brute force: all fields that are plans, or tuples of plans."""
    found: list[Any] = []
    for field in fields(plan):
        value = getattr(plan, field.name)
        values = value if isinstance(value, tuple) else (value,)
        found.extend(item for item in values if isinstance(item, Plan))
    return tuple(found)


@settings(max_examples=50)
@given(strategies.plans)
def test_children_are_all_inputs_in_the_order_of_the_fields(plan: Plan) -> None:
    assert children(plan) == inputs(plan)


@settings(max_examples=50)
@given(strategies.plans)
def test_imports_are_the_collections_that_are_read_each_once(plan: Plan) -> None:
    def reads(node: Plan) -> list[CollectionId]:
        own = [node.collection] if isinstance(node, Get) else []
        return own + [read for child in inputs(node) for read in reads(child)]

    assert imports_of(plan) == tuple(dict.fromkeys(reads(plan)))


def test_a_binding_is_no_import() -> None:
    local = LocalGet(binding=0, schema=ONE.schema)
    assert imports_of(Let(binding=0, value=TWO, body=local)) == (CollectionId(2),)

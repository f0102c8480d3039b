"""Expressions survive the wire."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given

from antiphon.protocol.codec.expression import (
    expression_field,
    expression_from_proto,
    expression_to_proto,
)
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.schema import BOOLEAN
from antiphon.v1 import plan_pb2 as pb
from antiphon.v1 import types_pb2
from tests.protocol import strategies

KIND = types_pb2.Type(kind=types_pb2.TYPE_KIND_BOOLEAN)
TRUE = pb.Expression(literal=pb.Literal(type=KIND, boolean=True))


@given(strategies.expressions)
def test_every_expression_survives(expression: Expression) -> None:
    data = expression_to_proto(expression).SerializeToString()
    assert expression_from_proto(pb.Expression.FromString(data)) == expression


def test_every_arm_of_the_format_is_a_class() -> None:
    arms = pb.Expression.DESCRIPTOR.oneofs_by_name["node"].fields
    names = {kind.__name__ for kind in typing.get_args(Expression)}
    assert {arm.message_type.name for arm in arms} == names


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Expression(), ""),
        (pb.Expression(column=pb.ColumnReference()), "column.type.kind"),
        (pb.Expression(call=pb.Call(function="rm", type=KIND)), "call.function"),
        (pb.Expression(call=pb.Call(function="not")), "call.type.kind"),
        (
            pb.Expression(
                call=pb.Call(function="and", type=KIND, arguments=[TRUE, pb.Expression()])
            ),
            "call.arguments[1]",
        ),
        (pb.Expression(cast=pb.Cast(type=KIND)), "cast.input"),
        (pb.Expression(case=pb.Case(type=KIND, otherwise=TRUE)), "case.branches"),
        (
            pb.Expression(
                case=pb.Case(type=KIND, otherwise=TRUE, branches=[pb.Branch(value=TRUE)])
            ),
            "case.branches[0].condition",
        ),
        (
            pb.Expression(
                case=pb.Case(type=KIND, branches=[pb.Branch(condition=TRUE, value=TRUE)])
            ),
            "case.otherwise",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_names_the_field(message: pb.Expression, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        expression_from_proto(message)
    assert caught.value.path == path


def test_a_function_that_nobody_serves_is_our_own_bug_when_it_is_written() -> None:
    with pytest.raises(AssertionError, match="no function rm"):
        expression_to_proto(Call(function="rm", arguments=(), type=BOOLEAN))


def test_an_expression_that_must_be_said_is_missed() -> None:
    with pytest.raises(MalformedMessage, match="filter: missing"):
        expression_field("filter", False, pb.Expression())

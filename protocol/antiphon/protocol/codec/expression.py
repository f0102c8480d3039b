"""Scalar expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from antiphon.protocol.codec.field import MalformedMessage, each, field, require
from antiphon.protocol.codec.literal import literal_from_proto, literal_to_proto
from antiphon.protocol.codec.schema import type_from_proto, type_to_proto
from antiphon.protocol.expression import (
    FUNCTIONS,
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.v1 import plan_pb2 as pb


def expression_to_proto(expression: Expression) -> pb.Expression:
    match expression:
        case ColumnReference():
            return pb.Expression(
                column=pb.ColumnReference(
                    index=expression.index, type=type_to_proto(expression.type)
                )
            )
        case Literal():
            return pb.Expression(literal=literal_to_proto(expression))
        case Call():
            assert expression.function in FUNCTIONS, f"no function {expression.function}"
            return pb.Expression(
                call=pb.Call(
                    function=expression.function,
                    arguments=[expression_to_proto(a) for a in expression.arguments],
                    type=type_to_proto(expression.type),
                )
            )
        case Cast():
            return pb.Expression(
                cast=pb.Cast(
                    input=expression_to_proto(expression.input),
                    type=type_to_proto(expression.type),
                )
            )
        case Case():
            return pb.Expression(
                case=pb.Case(
                    branches=[_branch_to_proto(branch) for branch in expression.branches],
                    otherwise=expression_to_proto(expression.otherwise),
                    type=type_to_proto(expression.type),
                )
            )
        case _:
            assert_never(expression)


def _branch_to_proto(branch: Branch) -> pb.Branch:
    return pb.Branch(
        condition=expression_to_proto(branch.condition), value=expression_to_proto(branch.value)
    )


def expression_from_proto(message: pb.Expression) -> Expression:
    arm = message.WhichOneof("node")
    if arm is None:
        raise MalformedMessage("no expression")
    return field(arm, _ARMS[arm], getattr(message, arm))


def expression_field(name: str, present: bool, message: pb.Expression) -> Expression:
    """An expression that must be said."""
    require(present, name, "missing")
    return field(name, expression_from_proto, message)


def _column(message: pb.ColumnReference) -> ColumnReference:
    return ColumnReference(index=message.index, type=field("type", type_from_proto, message.type))


def _call(message: pb.Call) -> Call:
    require(message.function in FUNCTIONS, "function", f"no function {message.function!r}")
    return Call(
        function=message.function,
        arguments=each("arguments", expression_from_proto, message.arguments),
        type=field("type", type_from_proto, message.type),
    )


def _cast(message: pb.Cast) -> Cast:
    return Cast(
        input=expression_field("input", message.HasField("input"), message.input),
        type=field("type", type_from_proto, message.type),
    )


def _case(message: pb.Case) -> Case:
    require(len(message.branches) > 0, "branches", "none")
    return Case(
        branches=each("branches", _branch, message.branches),
        otherwise=expression_field("otherwise", message.HasField("otherwise"), message.otherwise),
        type=field("type", type_from_proto, message.type),
    )


def _branch(message: pb.Branch) -> Branch:
    return Branch(
        condition=expression_field("condition", message.HasField("condition"), message.condition),
        value=expression_field("value", message.HasField("value"), message.value),
    )


_ARMS: Final[dict[str, Callable[[Any], Expression]]] = {
    "column": _column,
    "literal": literal_from_proto,
    "call": _call,
    "cast": _cast,
    "case": _case,
}

"""Every plan survives its bytes, and equal plans have equal bytes."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given, settings

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.plan import plan_from_bytes, plan_to_bytes
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import PLAN_BYTES_MAX
from antiphon.protocol.plan import Constant, Get, MapFilterProject, Negate, Plan
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT, Column, Schema
from antiphon.v1 import plan_pb2 as pb
from tests.protocol import strategies

SCHEMA = Schema((Column(name="a", type=INT64), Column(name="b", type=TEXT)))
GET = Get(collection=CollectionId(7), schema=SCHEMA)
SMALL: Plan = MapFilterProject(
    input=GET,
    maps=(),
    filters=(
        Call(
            function="equal",
            arguments=(ColumnReference(index=0, type=INT64), Literal(value=5, type=INT64)),
            type=BOOLEAN,
        ),
    ),
    project=(1,),
)


@settings(max_examples=50)
@given(strategies.plans)
def test_every_plan_survives_its_bytes(plan: Plan) -> None:
    assert plan_from_bytes(plan_to_bytes(plan)) == plan


@settings(max_examples=50)
@given(strategies.plans)
def test_bytes_that_were_read_are_written_again_alike(plan: Plan) -> None:
    data = plan_to_bytes(plan)
    assert plan_to_bytes(plan_from_bytes(data)) == data


def test_the_bytes_of_a_plan_are_these_for_ever() -> None:
    # A fingerprint that changes with a release would make every replica rebuild everything.
    assert plan_to_bytes(SMALL).hex() == (
        "22500a230a2109070000000000000012160a090a01611202080418010a090a01621202080818011a261a240a"
        "05657175616c12060a0412020804120f120d0a0208041905000000000000001a020801220101"
    )


def test_every_node_of_the_format_is_a_class_and_has_a_strategy() -> None:
    arms = {field.name for field in pb.Plan.DESCRIPTOR.oneofs_by_name["node"].fields}
    classes = typing.get_args(Plan)
    messages = {
        field.message_type.name for field in pb.Plan.DESCRIPTOR.oneofs_by_name["node"].fields
    }
    assert messages == {kind.__name__ for kind in classes}
    assert len(arms) == len(classes)


def test_a_plan_that_is_nested_too_deeply_is_refused_when_it_is_written() -> None:
    plan: Plan = GET
    for _ in range(60):
        plan = Negate(input=plan)
    with pytest.raises(LimitExceeded, match="nested too deeply"):
        plan_to_bytes(plan)


def test_a_plan_that_is_too_large_is_refused_when_it_is_written() -> None:
    text = "x" * (PLAN_BYTES_MAX // 8)
    rows = (((text,), 1),) * 9
    plan = Constant(schema=Schema((Column(name="t", type=TEXT),)), rows=rows)
    with pytest.raises(LimitExceeded, match="bytes"):
        plan_to_bytes(plan)


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(MalformedMessage, match="not the bytes of a plan"):
        plan_from_bytes(b"\xff\xff\xff")

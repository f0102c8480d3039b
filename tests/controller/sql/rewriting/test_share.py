"""Subplans that occur several times are computed once, and mean what they meant."""

from __future__ import annotations

from antiphon.controller.sql.algebra.plans import walk_plan
from antiphon.controller.sql.rewriting.share import shared
from antiphon.protocol.plan import Distinct, Get, Let, LocalGet, Plan, Union
from antiphon.protocol.schema import INT32, Column, Schema
from tests.controller.sql.recorded import check

STORED = Get(collection=1, schema=Schema((Column(name="a", type=INT32),)))


def lets(plan: Plan) -> int:
    return sum(isinstance(node, Let) for node in walk_plan(plan))


def test_subplans_are_shared_as_recorded() -> None:
    check("share")


def test_what_occurs_once_stays_as_it_is() -> None:
    plan = Union(inputs=(Distinct(input=STORED), STORED))
    assert shared(plan) == plan


def test_a_subplan_of_a_shared_one_is_shared_with_what_stands_outside() -> None:
    small = Distinct(input=STORED)
    large = Union(inputs=(small, STORED))
    plan = shared(Union(inputs=(large, large, small)))
    assert lets(plan) == 2
    assert isinstance(plan, Let)
    assert plan.value == small, "the smaller one is bound outside, where the larger one may read it"
    assert isinstance(plan.body, Let)
    gets = [node for node in walk_plan(plan) if isinstance(node, LocalGet)]
    assert len(gets) == 4


def test_bindings_that_are_there_keep_their_numbers() -> None:
    bound = LocalGet(binding=7, schema=STORED.schema)
    body = Union(inputs=(bound, Distinct(input=STORED), Distinct(input=STORED)))
    plan = shared(Let(binding=7, value=STORED, body=body))
    assert isinstance(plan, Let)
    assert plan.binding == 8
    assert isinstance(plan.body, Let)
    assert plan.body.binding == 7


def test_numbers_of_bindings_make_no_difference() -> None:
    def bound(number: int) -> Plan:
        get = LocalGet(binding=number, schema=STORED.schema)
        return Let(binding=number, value=Distinct(input=STORED), body=Union(inputs=(get, get)))

    plan = shared(Union(inputs=(bound(3), bound(4))))
    assert lets(plan) == 2, "one around both, and the one that is inside of it"
    assert sum(isinstance(node, Distinct) for node in walk_plan(plan)) == 1


def test_what_reads_a_binding_from_around_it_stays() -> None:
    get = LocalGet(binding=3, schema=STORED.schema)
    body = Union(inputs=(Distinct(input=get), Distinct(input=get)))
    plan = Let(binding=3, value=STORED, body=body)
    assert shared(plan) == plan

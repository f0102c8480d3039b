"""What depends on the clock is told by its plan."""

from __future__ import annotations

from antiphon.controller.instance.clocked import depends_on_clock
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.expression import Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Distinct, Get, Plan, TemporalFilter, Union
from antiphon.protocol.schema import TIMESTAMP, Column, Schema

GET = Get(collection=CollectionId(1), schema=Schema((Column(name="at", type=TIMESTAMP),)))
UNTIL = TemporalFilter(input=GET, valid_from=None, valid_until=Literal(value=0, type=TIMESTAMP))


def test_a_temporal_filter_anywhere_makes_it_depend_on_the_clock() -> None:
    deep: Plan = Distinct(input=Union(inputs=(GET, UNTIL)))
    assert depends_on_clock(plan_to_bytes(deep))
    assert not depends_on_clock(plan_to_bytes(Distinct(input=GET)))


def test_what_is_no_plan_depends_on_nothing() -> None:
    assert not depends_on_clock(b"no plan")

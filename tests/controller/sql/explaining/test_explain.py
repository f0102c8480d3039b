"""Plans are shown in the words of SQL."""

from __future__ import annotations

from antiphon.controller.catalog import empty_catalog
from antiphon.controller.sql.algebra.plans import ONE_ROW, joined
from antiphon.controller.sql.explaining.explain import (
    column_names,
    describe_collection,
    explain_finishing,
    explain_plan,
)
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.expression import (
    ColumnReference,
)
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Constant, Get, JoinKind, Recursion, TemporalFilter
from antiphon.protocol.schema import (
    INT32,
    TEXT,
    Column,
    Schema,
)

SCHEMA = Schema((Column(name="a", type=INT32), Column(name="b", type=TEXT)))
GET = Get(collection=CollectionId(7), schema=SCHEMA)
A, B = ColumnReference(index=0, type=INT32), ColumnReference(index=1, type=TEXT)


def test_columns_that_share_a_name_are_numbered() -> None:
    assert column_names(joined(JoinKind.INNER, GET, GET)) == ["#0", "#1", "#2", "#3"]
    assert column_names(joined(JoinKind.SEMI, GET, GET)) == ["a", "b"]


def test_a_collection_that_is_gone_is_shown_by_its_id() -> None:
    assert describe_collection(CollectionId(7), empty_catalog()) == "u7"


def test_every_node_has_a_line() -> None:
    rows = tuple(((index, "x"), 1) for index in range(5))
    for plan, line in (
        (Constant(schema=SCHEMA, rows=rows), "Constant (0, 'x'), (1, 'x'), (2, 'x'), 2 more"),
        (Constant(schema=SCHEMA, rows=()), "Constant no rows"),
        (ONE_ROW, "Constant ()"),
        (TemporalFilter(input=GET, valid_from=None, valid_until=None), "TemporalFilter"),
        (Recursion(binding=1, schema=SCHEMA, value=GET, body=GET), "Recursion binding 1"),
    ):
        assert explain_plan(plan, empty_catalog())[0].startswith(line)


def test_the_finishing_is_a_line_if_there_is_any() -> None:
    assert explain_finishing(Finishing(), ["a"]) is None
    finishing = Finishing(order_by=((0, True, False),), offset=2, limit=3)
    shown = explain_finishing(finishing, ["a"])
    assert shown == "Finish order by a desc nulls last offset 2 limit 3"

"""A query before it is ordered and cut, and what it is to others."""

from __future__ import annotations

from antiphon.controller.catalog import empty_catalog
from antiphon.controller.sql.binding.relation import Context, Query
from antiphon.controller.sql.binding.scope import ScopeColumn
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, MapFilterProject, SortKey, TopK
from antiphon.protocol.schema import INT32, Column, Schema

SCHEMA = Schema((Column(name="a", type=INT32), Column(name="b", type=INT32)))
GET = Get(collection=CollectionId(1), schema=SCHEMA)
A = ScopeColumn(name="a", qualifier=None, index=0, type=INT32)
ORDER = (SortKey(column=1),)


def test_an_order_without_a_cut_is_nothing_inside_another_query() -> None:
    finished = Query(plan=GET, columns=(A,), order_by=ORDER).finished()
    assert finished == MapFilterProject(input=GET, maps=(), filters=(), project=(0,))


def test_a_cut_is_a_top_k_before_what_was_sorted_by_goes() -> None:
    finished = Query(plan=GET, columns=(A,), order_by=ORDER, limit=3, offset=1).finished()
    assert isinstance(finished, MapFilterProject)
    assert finished.input == TopK(input=GET, group_by=(), order_by=ORDER, limit=3, offset=1)


def test_an_answer_can_be_selected_from_under_an_alias() -> None:
    query = Query(plan=GET, columns=(A,))
    relation = query.relation("x")
    assert relation.width == 1
    assert [(c.qualifier, c.name) for c in relation.scope.columns] == [("x", "a")]
    assert query.schema() == Schema((Column(name="a", type=INT32),))


def test_bindings_are_numbered_from_one() -> None:
    context = Context(source=Source(StatementText(text="x")), catalog=empty_catalog())
    assert [context.next_binding(), context.next_binding()] == [1, 2]

"""Views are inlined or read from their index, and the index that fits is taken."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import any_of, equal
from antiphon.controller.sql.rewriting.optimize import imports_for, pinned_columns
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import Get
from antiphon.protocol.schema import INT32
from tests.controller.sql.recorded import check
from tests.controller.sql.world import World

A, B = (ColumnReference(index=index, type=INT32) for index in range(2))


def number(value: int | None) -> Literal:
    return Literal(value=value, type=INT32)


def test_indexes_are_used_as_recorded() -> None:
    check("optimize")


def test_columns_are_pinned_by_equalities_with_literals() -> None:
    pinned = pinned_columns(
        [
            equal(number(1), A),
            any_of([equal(B, number(2)), equal(B, number(3)), equal(B, number(2))]),
        ]
    )
    assert pinned == {0: (number(1),), 1: (number(2), number(3))}


def test_other_filters_pin_nothing() -> None:
    either = any_of([equal(A, number(1)), equal(B, number(2))])
    assert pinned_columns([either, equal(A, B), equal(A, number(None))]) == {}


def test_an_import_of_a_feed_has_its_key() -> None:
    world = World()
    world.run("CREATE FEED f (v text, id int, PRIMARY KEY (id))")
    item = world.catalog.find("f")
    assert item is not None
    (found,) = imports_for(Get(collection=item.id, schema=item.schema), world.catalog)
    assert (found.kind, found.key_columns) == (CollectionKind.FEED, (1,))

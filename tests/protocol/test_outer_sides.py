"""Outer sides come after what they are joined with, if there is such an order."""

from __future__ import annotations

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.outer_sides import comes_last, filling_order
from antiphon.protocol.plan import Get, Join, JoinKind, Let, LocalGet, Plan, Union
from antiphon.protocol.schema import INT64, Column, Schema

SCHEMA = Schema((Column(name="k", type=INT64, nullable=False),))
A, B, C = (CollectionId(number) for number in (1, 2, 3))
KEY = (ColumnReference(index=0, type=INT64),)


def get(collection: CollectionId) -> Get:
    return Get(collection=collection, schema=SCHEMA)


def join(kind: JoinKind, left: Plan, right: Plan) -> Join:
    return Join(kind=kind, left=left, right=right, left_keys=KEY, right_keys=KEY)


def test_the_outer_side_comes_after_all_that_the_other_is_made_of() -> None:
    others = join(JoinKind.INNER, get(B), get(C))
    assert filling_order(join(JoinKind.LEFT, get(A), others)) == {A: 1}
    assert filling_order(join(JoinKind.ANTI, get(A), get(B))) == {A: 1}
    assert filling_order(join(JoinKind.RIGHT, others, get(A))) == {A: 1}
    assert filling_order(join(JoinKind.SEMI, get(A), get(B))) == {}


def test_a_chain_is_put_in_order() -> None:
    below = join(JoinKind.LEFT, get(B), get(C))
    order = filling_order(join(JoinKind.LEFT, get(A), below))
    assert order == {A: 2, B: 1}
    assert comes_last(order, A, frozenset({B, C}))
    assert not comes_last(order, B, frozenset({A}))
    assert not comes_last(order, C, frozenset())


def test_of_a_full_join_the_left_side_comes_last() -> None:
    assert filling_order(join(JoinKind.FULL, get(A), get(B))) == {A: 1}


def test_who_is_joined_with_itself_comes_as_it_did() -> None:
    order = filling_order(join(JoinKind.LEFT, get(A), get(A)))
    assert order == {}
    assert not comes_last(order, A, frozenset({A}))


def test_a_circle_has_no_order() -> None:
    there, back = join(JoinKind.LEFT, get(A), get(B)), join(JoinKind.LEFT, get(B), get(A))
    third = join(JoinKind.LEFT, get(C), get(A))
    assert filling_order(Union(inputs=(there, back))) == {}
    assert filling_order(Union(inputs=(there, third))) == {A: 1, C: 2}


def test_what_a_let_binds_is_looked_through() -> None:
    bound = LocalGet(binding=1, schema=SCHEMA)
    body = join(JoinKind.LEFT, get(A), bound)
    assert filling_order(Let(binding=1, value=get(B), body=body)) == {A: 1}
    turned = join(JoinKind.LEFT, bound, get(A))
    assert filling_order(Let(binding=1, value=get(B), body=turned)) == {B: 1}

"""Recursion: at every time what iterating from scratch gives, whatever comes and goes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.plan import (
    Constant,
    Distinct,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Recursion,
    Union,
)
from antiphon.protocol.schema import BOOLEAN, INT64, Column, Schema
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec, evaluate_once
from antiphon.replica.dataflow.operators import recursion
from tests.replica.dataflow.changes import A, B, check_plan, get, rows_of, zset

EDGES = Schema((Column(name="a", type=INT64), Column(name="b", type=INT64)))
ONE = Schema((Column(name="n", type=INT64),))
PROFILE = settings(max_examples=60, deadline=None)
FROM, TO = (ColumnReference(index=i, type=INT64) for i in range(2))
PATHS = LocalGet(binding=1, schema=EDGES)


@st.composite
def graphs(draw, *, acyclic=False):
    """Ticks of edges that come and go."""
    present, found = [], []
    for _ in range(draw(st.integers(1, 5))):
        tick = []
        for _ in range(draw(st.integers(0, 4))):
            if present and draw(st.integers(0, 2)) == 0:
                tick.append((present.pop(draw(st.integers(0, len(present) - 1))), -1))
                continue
            a, b = draw(st.integers(0, 5)), draw(st.integers(0, 5))
            edge = (min(a, b), max(a, b) + 1) if acyclic else (a, b)
            present.append(edge)
            tick.append((edge, 1))
        found.append(tick)
    return found


def longer(paths=PATHS, edges=None):
    """Paths with one more edge behind them."""
    joined = Join(
        kind=JoinKind.INNER, left=paths, right=edges or get(A, EDGES), left_keys=(TO,),
        right_keys=(FROM,),
    )  # fmt: skip
    return MapFilterProject(input=joined, maps=(), filters=(), project=(0, 3))


def fixpoint(value, body=PATHS):
    return Recursion(binding=1, schema=EDGES, value=value, body=body)


CLOSURE = fixpoint(Distinct(input=Union(inputs=(get(A, EDGES), longer()))))


@PROFILE
@given(graphs())
def test_a_transitive_closure_follows_edges_that_come_and_go_in_circles(changes):
    flow = check_plan(CLOSURE, changes, schema=EDGES)
    assert flow.state_rows == 0


@PROFILE
@given(graphs(acyclic=True))
def test_without_distinct_each_path_counts(changes):
    flow = check_plan(fixpoint(Union(inputs=(get(A, EDGES), longer()))), changes, schema=EDGES)
    assert flow.state_rows == 0


@PROFILE
@given(graphs(), graphs())
def test_a_step_may_join_what_else_there_is_and_itself(edges, starts):
    twice = longer(PATHS, PATHS)
    kept = Join(
        kind=JoinKind.ANTI, left=longer(), right=get(B, EDGES), left_keys=(TO,), right_keys=(FROM,)
    )
    value = Let(
        binding=7, value=get(A, EDGES),
        body=Distinct(input=Union(inputs=(LocalGet(binding=7, schema=EDGES), twice, kept))),
    )  # fmt: skip
    body = Distinct(input=MapFilterProject(input=PATHS, maps=(), filters=(), project=(1,)))
    check_plan(fixpoint(value, body), edges, starts, schema=EDGES)


def counting(limit):
    n = ColumnReference(index=0, type=INT64)
    own = LocalGet(binding=1, schema=ONE)
    more = MapFilterProject(
        input=own,
        maps=(Call(function="add", arguments=(n, Literal(value=1, type=INT64)), type=INT64),),
        filters=(
            Call(function="less", arguments=(n, Literal(value=limit, type=INT64)), type=BOOLEAN),
        ),
        project=(1,),
    )
    first = Constant(schema=ONE, rows=(((1,), 1),))
    value = Union(inputs=(first, more))
    return Recursion(binding=1, schema=ONE, value=value, body=own)


def test_numbers_are_counted_out():
    rows, errors = rows_of(evaluate_once(counting(200), {}, {}))
    assert rows == {(n,): 1 for n in range(1, 201)}
    assert not errors


def test_rounds_come_and_go_with_the_depth():
    flow = Dataflow.build(CLOSURE, {A: ImportSpec(schema=EDGES)})
    operator = next(o for o in flow._graph.operators if isinstance(o, recursion.Recursion))
    chain = [((i, i + 1), 1) for i in range(8)]
    flow.step(1, {A: zset(EDGES, chain)})
    assert operator.round_count == 9
    flow.step(2, {A: zset(EDGES, [((1, 2), -1)])})
    assert operator.round_count == 7
    flow.step(3, {A: zset(EDGES, [(edge, -1) for edge, _ in chain if edge != (1, 2)])})
    assert operator.round_count == 1
    while flow.maintain(1_000):
        pass
    assert flow.state_rows == 0


def test_what_has_no_end_is_an_error_for_as_long_as_it_has_none(monkeypatch):
    monkeypatch.setattr(recursion, "ROUNDS_MAX", 12)
    plan = fixpoint(Union(inputs=(get(A, EDGES), longer())))
    flow = Dataflow.build(plan, {A: ImportSpec(schema=EDGES)})
    _, errors = rows_of(flow.step(1, {A: zset(EDGES, [((1, 2), 1), ((2, 1), 1)])}))
    assert errors == {"recursion_limit": 1}
    _, errors = rows_of(flow.step(2, {A: zset(EDGES, [((3, 4), 1)])}))
    assert errors == {}
    _, errors = rows_of(flow.step(3, {A: zset(EDGES, [((2, 1), -1)])}))
    assert errors == {"recursion_limit": -1}
    once = evaluate_once(
        plan, {A: ImportSpec(schema=EDGES)}, {A: zset(EDGES, [((1, 2), 1), ((3, 4), 1)])}
    )
    assert rows_of(once) == ({(1, 2): 1, (3, 4): 1}, {})


def test_a_step_that_fails_leaves_the_recursion_as_it_was(monkeypatch):
    flow = Dataflow.build(CLOSURE, {A: ImportSpec(schema=EDGES)})
    flow.step(1, {A: zset(EDGES, [((1, 2), 1)])})
    with monkeypatch.context() as broken:
        broken.setattr(recursion.Recursion, "_show_errors", lambda self, step: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            flow.step(2, {A: zset(EDGES, [((2, 3), 1)])})
    rows, _ = rows_of(flow.step(2, {A: zset(EDGES, [((2, 4), 1)])}))
    assert rows == {(2, 4): 1, (1, 4): 1}

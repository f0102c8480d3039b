"""What a dataflow needs of its imports, and what it is brought of them."""

from __future__ import annotations

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, Join, JoinKind, MapFilterProject, Plan
from antiphon.protocol.schema import INT64, TEXT
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.importing.lookups import Lookups
from tests.replica.scripted import FEED, PAIRS, TABLE, above, get


def join(left: Plan, right: Plan, kind: JoinKind = JoinKind.INNER) -> Join:
    key = (ColumnReference(index=0, type=INT64),)
    return Join(kind=kind, left=left, right=right, left_keys=key, right_keys=key)


def lookups(plan: Plan) -> tuple[Lookups, Dataflow]:
    imports = {name: ImportSpec(schema=PAIRS) for name in (TABLE, FEED)}
    engine = Dataflow.build(plan, imports, shares=True)
    return Lookups(engine), engine


def keys(plan: Plan, collection: CollectionId) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    found, _ = lookups(plan)
    return [(each.key, each.columns) for each in found.sought(collection)]


def narrow(collection: Get) -> MapFilterProject:
    return MapFilterProject(input=collection, maps=(), filters=(), project=(0,))


def test_both_sides_of_a_join_are_looked_up_and_one_is_brought() -> None:
    plan = join(get(TABLE), get(FEED))
    assert keys(plan, TABLE) == keys(plan, FEED) == [((0,), (0, 1))]
    _, engine = lookups(plan)
    assert [engine.is_brought(name) for name in (TABLE, FEED)] == [True, False]


def test_only_the_columns_that_are_read_are_needed() -> None:
    assert keys(join(get(TABLE), narrow(get(FEED))), FEED) == [((0,), (0,))]


def test_a_side_that_is_filtered_first_is_arranged_by_itself() -> None:
    plan = join(above(get(TABLE), 1), get(FEED))
    assert keys(plan, TABLE) == []
    _, engine = lookups(plan)
    assert [engine.is_brought(name) for name in (TABLE, FEED)] == [True, False]


def test_an_outer_side_is_looked_up_too_and_comes_after_the_other() -> None:
    plan = join(get(TABLE), get(FEED), JoinKind.LEFT)
    assert keys(plan, TABLE) == keys(plan, FEED) == [((0,), (0, 1))]
    _, engine = lookups(plan)
    assert engine.is_brought(FEED), "its keys are made distinct here"
    assert engine.is_brought(TABLE), "its rows without a match come out by themselves"
    assert engine.turn_of(TABLE) > engine.turn_of(FEED)


def test_outer_sides_that_cannot_come_last_are_arranged_by_themselves() -> None:
    assert keys(join(get(TABLE), get(TABLE), JoinKind.LEFT), TABLE) == [((0,), (0, 1))]
    _, engine = lookups(join(get(TABLE), get(TABLE), JoinKind.LEFT))
    assert len(engine.imported) == 1, "the right side alone"
    both = join(get(TABLE), get(FEED), JoinKind.FULL)
    assert keys(both, TABLE) == [((0,), (0, 1))]
    assert keys(both, FEED) == []


def test_a_semijoin_looks_its_left_side_up_and_is_not_brought_it() -> None:
    plan = join(get(TABLE), get(FEED), JoinKind.SEMI)
    _, engine = lookups(plan)
    assert keys(plan, TABLE) == [((0,), (0, 1))]
    assert [engine.is_brought(name) for name in (TABLE, FEED)] == [False, True]


def test_however_a_condition_is_written_the_key_is_the_same() -> None:
    parts = (ColumnReference(index=0, type=INT64), ColumnReference(index=1, type=TEXT))

    def by(order: tuple[int, ...]) -> Join:
        pairs = tuple(parts[place] for place in order)
        return Join(
            kind=JoinKind.INNER, left=get(TABLE), right=get(FEED), left_keys=pairs,
            right_keys=pairs,
        )  # fmt: skip

    assert keys(by((0, 1)), FEED) == keys(by((1, 0)), FEED) == [((0, 1), (0, 1))]


def test_what_cannot_run_needs_nothing() -> None:
    assert Lookups(None).sought(TABLE) == ()

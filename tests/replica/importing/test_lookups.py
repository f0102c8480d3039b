"""What a dataflow needs of its imports, and what it is brought of them."""

from __future__ import annotations

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, Join, JoinKind, MapFilterProject, Plan, Union
from antiphon.protocol.schema import INT64, TEXT
from antiphon.protocol.selection import ALL, selection_of
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.importing.lookups import Lookups
from tests.replica.filters import K, V, compared, number, ratio, text, where
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
    assert [engine.brought(name) for name in (TABLE, FEED)] == [(ALL,), ()]


def test_only_the_columns_that_are_read_are_needed() -> None:
    assert keys(join(get(TABLE), narrow(get(FEED))), FEED) == [((0,), (0,))]


LARGE = selection_of([compared(K, number(1), "greater")])


def test_a_side_that_is_filtered_first_is_arranged_as_it_is_filtered() -> None:
    plan = join(above(get(TABLE), 1), get(FEED))
    found, engine = lookups(plan)
    assert [(each.key, each.columns, each.selection) for each in found.sought(TABLE)] == [
        ((0,), (0, 1), LARGE)
    ]
    assert [engine.brought(name) for name in (TABLE, FEED)] == [(LARGE,), ()]
    assert found.looks_up(TABLE), "what must come of it is what is arranged"


def test_a_side_whose_filter_may_fail_is_arranged_by_itself() -> None:
    plan = join(where(compared(ratio(10), number(5), "less")), get(FEED))
    assert keys(plan, TABLE) == []
    found, engine = lookups(plan)
    assert [engine.brought(name) for name in (TABLE, FEED)] == [(ALL,), ()]
    assert not found.looks_up(TABLE)


def test_of_what_is_selected_a_column_that_only_the_filter_reads_is_not_kept() -> None:
    side = where(compared(V, text("a")))
    narrowed = MapFilterProject(input=side, maps=(), filters=(), project=(0,))
    found, _ = lookups(join(get(FEED), narrowed))
    assert [(each.columns, len(each.selection)) for each in found.sought(TABLE)] == [((0,), 1)]


def test_what_nothing_arranged_has_comes_as_a_whole() -> None:
    """One side has the small numbers, the other the large ones, and both are brought."""
    small = where(compared(K, number(1), "less"))
    plan = Union(inputs=(join(above(get(TABLE), 1), get(FEED)), join(small, get(FEED))))
    found, engine = lookups(plan)
    assert set(engine.brought(TABLE)) == {LARGE, selection_of([compared(K, number(1), "less")])}
    assert len(found.sought(TABLE)) == 2
    assert not found.looks_up(TABLE)
    assert found.looks_up(FEED)
    beside = Union(inputs=(plan, join(get(TABLE), get(FEED))))
    found, _ = lookups(beside)
    assert found.looks_up(TABLE), "all of it is arranged as well"


def test_an_outer_side_is_looked_up_too_and_comes_after_the_other() -> None:
    plan = join(get(TABLE), get(FEED), JoinKind.LEFT)
    assert keys(plan, TABLE) == keys(plan, FEED) == [((0,), (0, 1))]
    _, engine = lookups(plan)
    assert engine.brought(FEED), "its keys are made distinct here"
    assert engine.brought(TABLE), "its rows without a match come out by themselves"
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
    assert [engine.brought(name) for name in (TABLE, FEED)] == [(), (ALL,)]


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

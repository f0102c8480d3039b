"""Whose turn it is: only of those that were named, each in turn."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.replica.scheduling.agenda import Agenda


@dataclass(eq=False)
class Work:
    """So many turns, then so many merges."""

    turns: int = 1
    merges: int = 0
    hydrated: bool = True
    pending_ticks: int = 0

    @property
    def is_ready(self) -> bool:
        return self.turns > 0

    def maintain(self, fuel_rows: int) -> bool:
        self.merges -= 1
        return self.merges > 0


def ignored(work: Work) -> None:
    """Nobody asks who was tended."""


def turns(agenda: Agenda[Work]) -> list[Work]:
    taken = []
    while (work := agenda.take(hydrating=True)) is not None:
        work.turns -= 1
        agenda.stir(work)
        taken.append(work)
    return taken


def test_everybody_who_was_named_has_a_turn_before_anybody_has_two() -> None:
    agenda: Agenda[Work] = Agenda(ignored)
    first, second, idle, unnamed = Work(2), Work(1), Work(0), Work(1)
    for work in (first, idle, second, first):
        agenda.stir(work)
    assert turns(agenda) == [first, second, first]
    assert unnamed.turns == 1
    assert not agenda.is_ready


def test_one_that_fills_waits_where_filling_pauses_and_keeps_its_place() -> None:
    agenda: Agenda[Work] = Agenda(ignored)
    filling, filled = Work(hydrated=False), Work()
    agenda.stir(filling)
    agenda.stir(filled)
    assert agenda.take(hydrating=False) is filled
    assert agenda.take(hydrating=False) is None
    assert agenda.is_ready
    assert agenda.take(hydrating=True) is filling


def test_the_backlog_is_of_whoever_has_most_also_if_it_cannot_go_on() -> None:
    agenda: Agenda[Work] = Agenda(ignored)
    stuck, busy = Work(turns=0, pending_ticks=5), Work(pending_ticks=2)
    agenda.stir(stuck)
    agenda.stir(busy)
    assert agenda.take(hydrating=True) is busy
    assert agenda.take(hydrating=True) is None
    assert agenda.backlog_ticks == 5
    stuck.turns, stuck.pending_ticks = 1, 6
    agenda.stir(stuck)
    assert agenda.backlog_ticks == 6
    agenda.forget(stuck)
    assert agenda.backlog_ticks == 0


def test_merges_go_round_until_there_are_none() -> None:
    tended: list[Work] = []
    agenda: Agenda[Work] = Agenda(tended.append)
    long, short = Work(merges=3), Work(merges=1)
    agenda.untidy(long)
    agenda.untidy(short)
    assert [agenda.maintain(1) for _ in range(3)] == [True, True, False]
    assert (long.merges, short.merges) == (0, 0)
    assert tended == [long, short, long, long]


def test_who_always_has_more_to_merge_keeps_nobody_waiting() -> None:
    """By counts: each as often as any other, also while ticks name them again and again."""
    tended: list[Work] = []
    agenda: Agenda[Work] = Agenda(tended.append)
    works = [Work(merges=10**6) for _ in range(5)]
    for _ in range(20):
        for work in works:
            agenda.untidy(work)
        assert agenda.maintain(1)
    late = Work(merges=10**6)
    agenda.untidy(late)
    for _ in range(len(works) + 1):
        agenda.maintain(1)
    assert [tended.count(work) for work in works] == [5] * len(works)
    assert tended.count(late) == 1


def test_those_that_fill_can_be_merged_apart_from_the_others() -> None:
    agenda: Agenda[Work] = Agenda(ignored)
    filled, filling = Work(merges=10**6), Work(merges=3, hydrated=False)
    agenda.untidy(filled)
    agenda.untidy(filling)
    assert [agenda.maintain(1, filling=True) for _ in range(4)] == [True, True, False, False]
    assert (filled.merges, filling.merges) == (10**6, 0)
    assert agenda.maintain(1), "the others still have some"


def test_one_that_is_gone_is_not_asked() -> None:
    agenda: Agenda[Work] = Agenda(ignored)
    gone = Work(merges=1)
    agenda.stir(gone)
    agenda.untidy(gone)
    agenda.forget(gone)
    assert agenda.take(hydrating=True) is None
    assert not agenda.maintain(1)
    assert gone.merges == 1

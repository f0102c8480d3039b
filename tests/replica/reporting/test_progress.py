"""Frontier reports: full at first, then only what moved, never back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Frontiers
from antiphon.replica.reporting.progress import FrontierReports, Reached
from tests.replica.scripted import at

C = CollectionId(7)


def report(
    reports: FrontierReports, write: Frontier, input_: Frontier, output: Frontier
) -> Frontiers | None:
    found = reports.report([(C, Reached(write, input_, output))])
    assert len(found) <= 1
    return found[0] if found else None


def test_the_first_report_is_full() -> None:
    found = report(FrontierReports(), at(1), at(2), at(3))
    assert found == Frontiers(
        collection=C, write_frontier=at(1), input_frontier=at(2), output_frontier=at(3)
    )


def test_11_only_what_moved_is_reported() -> None:
    reports = FrontierReports()
    report(reports, at(1), at(1), at(1))
    assert report(reports, at(1), at(1), at(1)) is None
    moved = report(reports, at(1), at(2), at(1))
    assert moved == Frontiers(collection=C, input_frontier=at(2))


def test_12_closed_is_said_once() -> None:
    reports = FrontierReports()
    report(reports, at(1), at(1), at(1))
    assert report(reports, CLOSED, CLOSED, CLOSED) is not None
    assert report(reports, CLOSED, CLOSED, CLOSED) is None


def test_a_new_connection_is_told_everything_again() -> None:
    reports = FrontierReports()
    report(reports, at(5), at(5), at(5))
    reports.restart()
    full = report(reports, at(5), at(5), at(5))
    assert full is not None
    assert full.write_frontier == at(5)


def test_a_forgotten_collection_starts_afresh() -> None:
    reports = FrontierReports()
    report(reports, at(5), at(5), at(5))
    reports.forget(C)
    assert report(reports, at(2), at(2), at(2)) is not None


def test_a_frontier_that_moves_back_is_a_bug() -> None:
    reports = FrontierReports()
    report(reports, at(5), at(5), at(5))
    with pytest.raises(AssertionError, match="moves back"):
        report(reports, at(5), at(4), at(5))


def test_what_is_the_same_of_many_is_said_once() -> None:
    reports = FrontierReports()
    many = [CollectionId(number) for number in range(1, 1_001)]
    (first,) = reports.report((each, Reached(at(5), at(5), at(5))) for each in many)
    assert first.collections == tuple(many)
    ahead, rest = many[:3], many[3:]
    assert len(reports.report((each, Reached(at(5), at(6), at(5))) for each in ahead)) == 1
    found = reports.report((each, Reached(at(6), at(6), at(6))) for each in many)
    assert [(each.collections, each.input_frontier) for each in found] == [
        (tuple(ahead), None),
        (tuple(rest), at(6)),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))))
def test_whoever_adds_up_the_reports_knows_the_frontiers(
    steps: list[tuple[int, int, int]],
) -> None:
    reports = FrontierReports()
    true = [0, 0, 0]
    known: list[Frontier | None] = [None, None, None]
    for step in steps:
        true = [position + move for position, move in zip(true, step, strict=True)]
        news = report(reports, at(true[0]), at(true[1]), at(true[2]))
        if news is not None:
            said = (news.write_frontier, news.input_frontier, news.output_frontier)
            known = [new or old for new, old in zip(said, known, strict=True)]
        assert known == [at(position) for position in true]

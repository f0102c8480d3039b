"""The checks of dataflows and their frontiers catch what they are for."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught, report_of


async def test_an_honest_replica_of_another_make_passes() -> None:
    report = await report_of(Fault.NONE, "21")
    assert report.conforms, report.rows()


async def test_a_frontier_before_as_of_is_caught() -> None:
    await assert_caught(Fault.STARTS_BEFORE_AS_OF, "10")


async def test_a_frontier_that_moves_back_is_caught() -> None:
    await assert_caught(Fault.REGRESSES, "11")


async def test_computing_without_being_scheduled_is_caught() -> None:
    await assert_caught(Fault.COMPUTES_UNSCHEDULED, "17")


async def test_a_second_dropped_is_caught() -> None:
    await assert_caught(Fault.DROPS_TWICE, "13", "15")


async def test_answers_about_compacted_times_are_caught() -> None:
    await assert_caught(Fault.ANSWERS_BEFORE_SINCE, "19", "24")


async def test_of_several_collections_to_look_at_the_first_alone_is_caught() -> None:
    await assert_caught(Fault.FORGETS_THE_OTHERS, "D35")

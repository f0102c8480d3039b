"""The checks of reconnection catch what they are for."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught, report_of


async def test_an_honest_replica_of_another_make_passes() -> None:
    report = await report_of(Fault.NONE, "57", "58", "62", "63")
    assert report.conforms, report.rows()


async def test_half_sent_commands_that_take_effect_are_caught() -> None:
    await assert_caught(Fault.KEEPS_WHAT_IS_HALF_SENT, "64")


async def test_keeping_what_a_full_set_does_not_name_is_caught() -> None:
    await assert_caught(Fault.KEEPS_WHAT_IS_ABSENT, "61")

"""The checks of subscribes catch what they are for."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught


async def test_a_gap_between_intervals_is_caught() -> None:
    await assert_caught(Fault.LEAVES_A_GAP, "40")


async def test_a_second_end_is_caught() -> None:
    await assert_caught(Fault.ENDS_A_SUBSCRIBE_TWICE, "41")

"""The checks of what the store pushes catch what they are for."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught


async def test_believing_every_push_is_caught() -> None:
    await assert_caught(Fault.TRUSTS_PUSHES, "D10")


async def test_a_tail_that_stays_broken_is_caught() -> None:
    await assert_caught(Fault.NEVER_REOPENS_A_TAIL, "D10", "D11")

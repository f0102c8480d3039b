"""The checks of materialized views catch what they are for."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught


async def test_writing_without_permission_is_caught() -> None:
    await assert_caught(Fault.WRITES_UNASKED, "18", "67")


async def test_writing_everything_twice_is_caught() -> None:
    await assert_caught(Fault.WRITES_TWICE, "18")

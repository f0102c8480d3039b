"""The checks of the state that peers fetch catch what they are for."""

from __future__ import annotations

import pytest

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_all_pass, assert_found


async def test_an_honest_replica_of_another_make_passes() -> None:
    await assert_all_pass("D22", "D23", "D24")


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (Fault.GIVES_STATE_OF_NOW, "D22"),
        (Fault.GIVES_STATE_TO_AN_OLD_EPOCH, "D22"),
        (Fault.GIVES_STATE_OF_ANOTHER_HISTORY, "D22"),
        (Fault.GIVES_STATE_OUT_OF_ORDER, "D22"),
        (Fault.GIVES_STATE_WITH_ANOTHER_DIGEST, "D22"),
        (Fault.GIVES_A_FEED_WITH_ANOTHER_TIME, "D23"),
        (Fault.KEEPS_THE_PLACE_OF_WHO_HUNG_UP, "D24"),
    ],
)
async def test_a_fault_is_caught(fault: Fault, number: str) -> None:
    await assert_found(fault, number)

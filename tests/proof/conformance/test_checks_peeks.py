"""The checks of reads catch what they are for."""

from __future__ import annotations

import pytest

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        (Fault.ANSWERS_TWICE, ("22", "23", "26")),
        (Fault.ANSWERS_TOO_EARLY, ("23", "25")),
        (Fault.ANSWERS_NEVER, ("22",)),
        (Fault.LOSES_A_MULTIPLICITY, ("22",)),
        (Fault.FORGETS_PINNED_READS, ("27",)),
        (Fault.CANCELS_UNASKED, ("27", "28")),
    ],
)
async def test_a_wrong_answer_is_caught(fault: Fault, numbers: tuple[str, ...]) -> None:
    await assert_caught(fault, *numbers)

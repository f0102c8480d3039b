"""The checks of rebuilds catch what they are for."""

from __future__ import annotations

import pytest

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_all_pass, assert_found

REBUILDS = ("D19", "D25", "D26", "D27", "D28", "D29", "D30", "D31", "D32", "D33", "D34", "D36")


async def test_an_honest_replica_of_another_make_passes() -> None:
    await assert_all_pass(*REBUILDS)


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (Fault.SAYS_A_RESULT_TWICE, "D19"),
        (Fault.SAYS_ANOTHER_DIGEST, "D25"),
        (Fault.READS_THE_BASE_TIME_TWICE, "D26"),
        (Fault.MARKS_ON_RECEIPT, "D27"),
        (Fault.LETS_THE_BASE_WIN, "D27"),
        (Fault.COMPLETES_WITHOUT_A_BASE, "D28"),
        (Fault.COMPLETES_BEFORE_THE_TARGET, "D28"),
        (Fault.ACCEPTS_BY_ITSELF, "D29"),
        (Fault.IGNORES_A_CANCEL, "D30"),
        (Fault.IGNORES_A_NEWER_REBUILD, "D31"),
        (Fault.IGNORES_A_DEADLINE, "D32"),
        (Fault.COUNTS_CHUNKS, "D33"),
        (Fault.TRUSTS_A_PEER, "D33"),
        (Fault.ACCEPTS_TOO_EARLY, "D34"),
        (Fault.FORGETS_THAT_IT_IS_UNACCEPTED, "D36"),
        (Fault.TAKES_A_REBUILD_FOR_ACCEPTED, "D36"),
        (Fault.IS_NEVER_ACCEPTED, "D36"),
    ],
)
async def test_a_fault_is_caught(fault: Fault, number: str) -> None:
    await assert_found(fault, number)

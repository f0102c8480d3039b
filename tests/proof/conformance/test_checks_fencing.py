"""The checks of epochs, facts and positions catch what they are for."""

from __future__ import annotations

import pytest

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught, report_of


async def test_an_honest_replica_of_another_make_passes() -> None:
    report = await report_of(Fault.NONE, "66", "68", "D18")
    assert report.conforms, report.rows()


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (Fault.SAYS_THE_OLD_CONNECTION_ID, "D3"),
        (Fault.IGNORES_EPOCHS, "D4"),
        (Fault.IGNORES_FACTS, "D6"),
        (Fault.IGNORES_POSITIONS, "D9"),
    ],
)
async def test_a_replica_that_obeys_the_wrong_one_is_caught(fault: Fault, number: str) -> None:
    await assert_caught(fault, number)

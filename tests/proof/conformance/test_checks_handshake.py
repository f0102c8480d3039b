"""The checks of the handshake catch what they are for; an honest replica passes them."""

from __future__ import annotations

from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import assert_caught, report_of


async def test_an_honest_replica_of_another_make_passes() -> None:
    report = await report_of(Fault.NONE, "2", "3", "4", "65")
    assert report.conforms, report.rows()


async def test_a_response_before_the_instance_is_known_is_caught() -> None:
    await assert_caught(Fault.SPEAKS_TOO_EARLY, "1")


async def test_a_missing_heartbeat_is_caught() -> None:
    await assert_caught(Fault.HAS_NO_HEARTBEAT, "7")


async def test_two_controllers_at_once_are_caught() -> None:
    await assert_caught(Fault.KEEPS_BOTH_CONNECTIONS, "6")


async def test_a_version_that_is_let_in_is_caught() -> None:
    await assert_caught(Fault.IGNORES_VERSIONS, "5")

"""Runs of the suite against the fake replica, on Unix sockets in a directory of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from antiphon.proof.conformance import Report, Verdict, run
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.faulty import serving

PATIENCE_S = 2.0


async def report_of(fault: Fault, *numbers: str) -> Report:
    # Not pytest's directory: the path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        controller = f"unix:{Path(directory) / 'controller'}"
        address = f"unix:{Path(directory) / 'replica'}"
        async with serving(address, controller, fault):
            return await run(
                address, collections_listen=controller, only=numbers, patience_s=PATIENCE_S
            )


async def assert_caught(fault: Fault, *numbers: str) -> None:
    """The checks of all `numbers` pass for an honest replica and fail for the faulty one."""
    honest = await report_of(Fault.NONE, *numbers)
    assert honest.conforms, honest.rows()
    assert honest.count(Verdict.NOT_APPLICABLE) == 0, honest.rows()
    faulty = await report_of(fault, *numbers)
    assert not faulty.conforms
    passed = [number for number in numbers if faulty.verdict(number) is not Verdict.FAIL]
    assert not passed, f"{fault.name} is not caught by {passed}: {faulty.rows()}"

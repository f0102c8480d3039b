"""Runs of the suite against the fake replica, on Unix sockets in a directory of their own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from antiphon.proof.conformance import Report, Verdict, run
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.interceptor import Gate
from antiphon.v1 import compute_pb2_grpc
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.rebuilding import RebuildingReplica

PATIENCE_S = 10.0  # with an honest replica; a check as a whole has a minute
FAULTY_S = 2.0  # with what a faulty one may owe for ever


@contextlib.asynccontextmanager
async def serving(address: str, controller: str, fault: Fault) -> AsyncIterator[RebuildingReplica]:
    """The fake replica at `address` until the end of the block."""
    server = create_server([Gate()])
    replica = RebuildingReplica(controller, fault)
    compute_pb2_grpc.add_ComputeServicer_to_server(replica, server)
    listen(server, address)
    await server.start()
    try:
        yield replica
    finally:
        await replica.close()
        await server.stop(0)


async def report_of(fault: Fault, *numbers: str) -> Report:
    patience_s = PATIENCE_S if fault is Fault.NONE else FAULTY_S
    # Not pytest's directory: the path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        controller = f"unix:{Path(directory) / 'controller'}"
        address = f"unix:{Path(directory) / 'replica'}"
        async with serving(address, controller, fault):
            return await run(
                address, collections_listen=controller, only=numbers, patience_s=patience_s
            )


async def assert_caught(fault: Fault, *numbers: str) -> None:
    """The checks of all `numbers` pass for an honest replica and fail for the faulty one."""
    await assert_all_pass(*numbers)
    await assert_found(fault, *numbers)


async def assert_all_pass(*numbers: str) -> None:
    """For an honest replica."""
    honest = await report_of(Fault.NONE, *numbers)
    assert honest.conforms, honest.rows()
    assert honest.count(Verdict.NOT_APPLICABLE) == 0, honest.rows()


async def assert_found(fault: Fault, *numbers: str) -> None:
    """For a faulty one all of these fail."""
    faulty = await report_of(fault, *numbers)
    assert not faulty.conforms
    passed = [number for number in numbers if faulty.verdict(number) is not Verdict.FAIL]
    assert not passed, f"{fault.name} is not caught by {passed}: {faulty.rows()}"

"""A run leaves alone what is not its own, and comes to an end when the replica does."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from antiphon.proof.conformance import Outcome, Verdict, restart_by, run
from antiphon.protocol.codec import commands_to_batch
from antiphon.protocol.command import Sent
from antiphon.protocol.errors import AddressInUse, InvalidArgument, Unavailable
from antiphon.protocol.ids import NO_POSITION, InstanceId
from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.v1 import compute_pb2_grpc
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.scripts import HELLO
from tests.proof.conformance.suite import serving


@contextlib.contextmanager
def addresses() -> Iterator[tuple[str, str]]:
    """Of the replica and of the suite."""
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        yield f"unix:{Path(directory) / 'replica'}", f"unix:{Path(directory) / 'controller'}"


async def test_a_replica_of_a_real_instance_is_left_alone() -> None:
    with addresses() as (address, controller):
        async with serving(address, controller, Fault.NONE) as replica:
            replica.facts = replace(replica.facts, instance_id=InstanceId(1))
            before = replica.facts
            with pytest.raises(InvalidArgument, match="belongs to instance 1"):
                await run(address, collections_listen=controller)
            assert replica.facts == before


async def test_a_replica_with_a_controller_is_left_alone() -> None:
    with addresses() as (address, controller):
        async with serving(address, controller, Fault.NONE) as replica:
            hello = replace(HELLO, replica=replica.facts.replica)
            hello = replace(hello, expected_incarnation=replica.facts.incarnation)
            channel = open_channel(address)
            call = compute_pb2_grpc.ComputeStub(channel).Session()
            await call.write(commands_to_batch([Sent(NO_POSITION, hello)]))
            with pytest.raises(InvalidArgument, match="has a controller that is connected"):
                await run(address, collections_listen=controller, only=["22"])
            call.cancel()
            report = await run(address, collections_listen=controller, only=["22"])
            assert report.conforms, report.rows()
            await channel.close()


async def test_once_the_replica_is_gone_the_rest_fails_at_once() -> None:
    with addresses() as (address, controller):
        stack = contextlib.AsyncExitStack()
        await stack.enter_async_context(serving(address, controller, Fault.NONE))
        ending: list[asyncio.Task[None]] = []

        def end(outcome: Outcome) -> None:
            if not ending:
                ending.append(asyncio.ensure_future(stack.aclose()))

        report = await run(
            address,
            collections_listen=controller,
            only=["22", "23", "24", "25"],
            patience_s=5.0,
            progress=end,
        )
        await asyncio.gather(*ending)
    assert report.verdict("22") is Verdict.PASS
    assert report.count(Verdict.FAIL) == 3
    assert report.outcomes[-1].detail.startswith("the replica does not answer any more")


async def test_nobody_at_the_address_is_said_so() -> None:
    with addresses() as (address, controller), pytest.raises(Unavailable):
        await run(address, collections_listen=controller, patience_s=0.2)


async def test_an_address_that_is_taken_is_said_so() -> None:
    with addresses() as (address, controller):
        server = create_server()
        listen(server, controller)
        await server.start()
        with pytest.raises(AddressInUse):
            await run(address, collections_listen=controller)
        await server.stop(0)


async def test_a_restart_command_has_to_succeed() -> None:
    await restart_by("true")()
    with pytest.raises(InvalidArgument, match="ended with 3"):
        await restart_by("exit 3")()

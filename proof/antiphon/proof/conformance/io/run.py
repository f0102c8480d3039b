"""The run: serve a store, take the replica over, check after check, report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import grpc

from antiphon.proof.conformance.checks import CHECKS
from antiphon.proof.conformance.content import delta_of
from antiphon.proof.conformance.dataflows import INSTANCE
from antiphon.proof.conformance.io.bench import CheckBench, Replica, Restart
from antiphon.proof.conformance.io.collections_service import CollectionsService
from antiphon.proof.conformance.io.peer_service import PeerService
from antiphon.proof.conformance.registry import Check, select
from antiphon.proof.conformance.report import Finished, Report, settle
from antiphon.proof.conformance.verdict import Failed, NotApplicable, Outcome, Verdict, one_line
from antiphon.protocol.errors import AntiphonError, InvalidArgument, NotServed, Unavailable
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import NO_EPOCH, Epoch
from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.security import ClientSecurity, ServerSecurity
from antiphon.protocol.stage import Stage
from antiphon.v1 import collections_pb2_grpc, compute_pb2_grpc

COLLECTIONS_LISTEN: Final = "127.0.0.1:6870"  # where replicas look for their controller
PATIENCE_S: Final = 10.0  # for what must come
STOP_S: Final = 0.5  # for the replica to take note of the end
LEAVING_POLL_S: Final = 0.1
LEAVING_POLLS: Final = 10
CHECK_S_MAX: Final = 60.0  # of one check, whatever it waits for


async def run(
    address: str,
    *,
    collections_listen: str = COLLECTIONS_LISTEN,
    only: Sequence[str] = (),
    patience_s: float = PATIENCE_S,
    token: str | None = None,
    restart: Restart | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> Report:
    """Runs the checks against the replica at `address`, which loses what it holds.

    Args:
        collections_listen: where the suite serves the store; the replica must have been started
            with it as its controller's address.
        only: numbers of the checks to run; all, if empty.
        patience_s: how long what must come may take.
        token: what both sides ask of their callers, if they ask.
        restart: kills the replica's process and starts it again; without it, the checks that need
            it are not applicable.
        progress: told of each check as it ends; the report may blame it later on.

    Raises:
        InvalidArgument: an unknown number; or a replica that somebody else uses.
        AddressInUse: something listens on `collections_listen`.
        Unavailable: nobody answers at `address`.
    """
    checks = select(CHECKS, only)
    # The first array that Arrow makes of Python values imports pandas; a second later nobody
    # should have to wait for that.
    delta_of([((1, "a"), 1, 1)])
    async with _serving(collections_listen, token) as served, _channel(address, token) as channel:
        service, peers = served
        replica = Replica(
            channel=channel,
            service=service,
            peers=peers,
            patience_s=patience_s,
            restart=restart,
            epoch=NO_EPOCH,
        )
        facts = await _free(replica)
        replica.epoch = Epoch(facts.highest_epoch + 2)  # one below it is an older one
        finished: list[Finished] = []
        for check in checks:
            one = await _finish(check, replica, finished)
            finished.append(one)
            if progress is not None:
                progress(one.outcome)
        return settle(facts.replica, finished)


def restart_by(command: str) -> Restart:
    """A shell command that kills the replica and starts it again, and then returns."""

    async def restart() -> None:
        process = await asyncio.create_subprocess_shell(command)
        code = await process.wait()
        if code != 0:
            raise InvalidArgument(f"the restart command ended with {code}", code=code)

    return restart


async def _free(replica: Replica) -> ReplicaFacts:
    """The facts of a replica that nobody uses; one of a real instance is left alone, because a run
    would fence its controller off for good."""
    facts = await replica.returned()
    if facts.instance_id not in (None, INSTANCE):
        raise InvalidArgument(
            f"replica {facts.replica} belongs to instance {facts.instance_id}: give the suite one"
            " with a data directory of its own",
            replica=facts.replica,
            instance=facts.instance_id,
        )
    # A run that ended a moment ago may still be connected.
    for _ in range(LEAVING_POLLS):
        if facts.stage is Stage.CLOSED:
            return facts
        await asyncio.sleep(LEAVING_POLL_S)
        facts = await replica.probe()
    raise InvalidArgument(
        f"replica {facts.replica} has a controller that is connected", replica=facts.replica
    )


async def _finish(check: Check, replica: Replica, before: Sequence[Finished]) -> Finished:
    """Runs one check; once the replica is gone, the rest fails at once."""
    gone = next((one.outcome.detail for one in before if one.outcome.detail.startswith(GONE)), None)
    if gone is not None:
        return Finished(outcome=outcome_of(check, Verdict.FAIL, gone, 0.0))
    started = time.monotonic()
    try:
        await replica.returned()
    except AntiphonError as error:
        detail = one_line(f"{GONE}: {error}")
        return Finished(outcome=outcome_of(check, Verdict.FAIL, detail, time.monotonic() - started))
    bench = CheckBench(replica)
    verdict, detail = await judge(check, bench)
    violations = await bench.close()
    seconds = time.monotonic() - started
    return Finished(outcome=outcome_of(check, verdict, detail, seconds), violations=violations)


GONE: Final = "the replica does not answer any more"


async def judge(check: Check, bench: object) -> tuple[Verdict, str]:
    """What the check comes to over its bench, and why."""
    try:
        await asyncio.wait_for(check.procedure(bench), CHECK_S_MAX)
    except Failed as failed:
        return Verdict.FAIL, str(failed)
    except NotApplicable as reason:
        return Verdict.NOT_APPLICABLE, one_line(reason)
    except NotServed as error:
        return Verdict.NOT_APPLICABLE, one_line(f"not served: {error}")
    except Unavailable as error:
        return Verdict.FAIL, one_line(f"the replica went away: {error}")
    except AntiphonError as error:
        return Verdict.FAIL, one_line(f"an answer that nobody expects: {error}")
    except TimeoutError:
        return Verdict.FAIL, f"it did not come to an end within {CHECK_S_MAX:g} s"
    return Verdict.PASS, ""


def outcome_of(check: Check, verdict: Verdict, detail: str, seconds: float) -> Outcome:
    return Outcome(
        numbers=check.numbers, title=check.title, verdict=verdict, detail=detail, seconds=seconds
    )


@contextlib.asynccontextmanager
async def _serving(
    address: str, token: str | None
) -> AsyncIterator[tuple[CollectionsService, PeerService]]:
    security = ServerSecurity(tokens=() if token is None else (token,))
    server = create_server([Gate(security)])
    service, peers = CollectionsService(), PeerService(address)
    collections_pb2_grpc.add_CollectionsServicer_to_server(service, server)
    compute_pb2_grpc.add_ComputeServicer_to_server(peers, server)
    listen(server, address, security)
    await server.start()
    try:
        yield service, peers
    finally:
        await service.end()
        await server.stop(STOP_S)


@contextlib.asynccontextmanager
async def _channel(address: str, token: str | None) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(address, ClientSecurity(token=token))
    try:
        yield channel
    finally:
        await channel.close()

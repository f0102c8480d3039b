"""Epochs, claims, facts and positions: whom a replica obeys, and in which order."""

from __future__ import annotations

from antiphon.proof.conformance.dataflows import (
    create_instance,
    index,
    read,
    schedule,
    table,
)
from antiphon.proof.conformance.ports import Bench, Session
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    Serving,
    answered,
    counted,
    refused,
    serving,
    still_serves,
)
from antiphon.proof.conformance.verdict import Failed, expect, expect_equal
from antiphon.protocol.command import Command, Sent
from antiphon.protocol.errors import EpochFenced, ProtocolViolated, StaleFacts
from antiphon.protocol.ids import NO_POSITION, Epoch, Incarnation, Position, SessionId
from antiphon.protocol.response import PeekResponse

chapter = Chapter()
BURST = 200
STORM_TURNS = 12


@chapter.check("D3", title="every response carries its connection's id")
async def connection_ids(bench: Bench) -> None:
    found = await serving(bench)
    await bench.append(25, found.table, ((4, "d"), 1))
    await still_serves(bench, found)
    ids = {heard.connection_id for heard in found.session.transcript.heard()}
    expect_equal(ids, {found.session.transcript.connection_id}, "the connection ids heard")


@chapter.check("D4", title="an older epoch, or another claim of the same one, is refused")
async def fenced(bench: Bench) -> None:
    incumbent = await serving(bench)
    epoch = (await bench.probe()).highest_epoch
    await refused(await bench.connect(epoch=Epoch(epoch - 1)), EpochFenced)
    await still_serves(bench, incumbent)
    await refused(await bench.connect(claim_id=bench.claim_id()), EpochFenced)
    await still_serves(bench, incumbent)
    # It was not the connection that kept them out, and the epoch is not forgotten with it.
    await incumbent.session.close()
    await bench.pause(QUIET_S)
    expect_equal((await bench.probe()).highest_epoch, epoch, "the highest epoch")
    await refused(await bench.connect(epoch=Epoch(epoch - 1)), EpochFenced)


@chapter.check("D5", title="the fence outlives the replica's process")
async def durable_fence(bench: Bench) -> None:
    bench.next_epoch()
    await serving(bench)
    before = await bench.probe()
    await bench.restart()
    after = await bench.probe()
    expect(after.incarnation != before.incarnation, "a new incarnation", after.incarnation)
    expect_equal(after.highest_epoch, before.highest_epoch, "the highest epoch")
    expect_equal(after.instance_id, before.instance_id, "the instance")
    older = Epoch(before.highest_epoch - 1)
    await refused(await bench.connect(epoch=older), EpochFenced)
    await refused(await bench.connect(claim_id=bench.claim_id()), EpochFenced)
    await serving(bench)


@chapter.check("D6", title="a Hello whose facts no longer hold is refused")
async def stale_facts(bench: Bench) -> None:
    incumbent = await serving(bench)
    facts = await bench.probe()
    other = Incarnation(bench.claim_id().value)
    await refused(await bench.connect(expected_incarnation=other), StaleFacts)
    ahead = Position(facts.applied_position + 1)
    await refused(await bench.connect(expected_position=ahead), StaleFacts)
    await refused(await bench.connect(session_id=SessionId(facts.session_id)), StaleFacts)
    await still_serves(bench, incumbent)


@chapter.check("D9", title="positions ascend, and after the head they have no gap")
async def positions(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.collection()
    for what, offset in (("none", None), ("repeated", 0), ("with a gap", 2)):
        session = await bench.connect(index(target, table(source)), schedule(target))
        head = bench.history.head
        place = NO_POSITION if offset is None else Position(head + offset)
        await session.say(Sent(place, index(bench.collection(), table(source))))
        await refused(session, ProtocolViolated)
        applied = (await bench.probe()).applied_position
        expect_equal(applied, head, f"the position after a command with one that is {what}")


@chapter.check("D18", title="a connection id that was used before is refused")
async def repeated_connection_id(bench: Bench) -> None:
    incumbent = await serving(bench)
    used = incumbent.session.transcript.connection_id
    await refused(await bench.connect(connection_id=used), ProtocolViolated)
    await still_serves(bench, incumbent)


@chapter.check("66", title="answers on their way to the old connection never reach the new one")
async def late_answers(bench: Bench) -> None:
    found = await serving(bench)
    burst = [read(bench.peek_id(), found.index, 15) for _ in range(BURST)]
    await found.session.send(*burst)
    target, peek = bench.collection(), bench.peek_id()
    session = await bench.connect(
        index(target, table(found.table)), schedule(target), read(peek, target, 15)
    )
    counted(await answered(session, peek))
    await bench.pause(QUIET_S)
    heard = list(session.transcript.heard())
    ids = {one.connection_id for one in heard}
    expect_equal(ids, {session.transcript.connection_id}, "the connection ids heard")
    foreign = [
        one
        for one in heard
        if isinstance(one.response, PeekResponse) and one.response.peek_id != peek
    ]
    expect(not foreign, "no answer to the old connection's peeks", len(foreign))


@chapter.check("68", title="after a storm of two controllers the state is what the last one asked")
async def storm(bench: Bench) -> None:
    source, target, last = bench.table(*ROWS), bench.collection(), bench.collection()
    for turn in range(STORM_TURNS):
        bench.next_epoch()
        session = bench.open()
        await session.say(Sent(NO_POSITION, await bench.hello()), create_instance())
        if turn % 3:
            # Some end here, before anything of theirs may take effect.
            await session.send(index(target, table(source), name=f"turn {turn}"), schedule(target))
        if turn % 3 == 2:
            await session.say(bench.history.complete())
        if turn % 2:
            await session.close()
    bench.next_epoch()
    session = await _connect_last(bench, index(last, table(source)), schedule(last))
    found = Serving(session=session, table=source, index=last)
    await still_serves(bench, found)
    facts = await bench.facts_where(
        lambda facts: [one.exports for one in facts.dataflows] == [(last,)],
        "the last controller's dataflow alone",
    )
    expect_equal(facts.applied_position, bench.history.head, "the applied position")
    await bench.append(25, source, ((4, "d"), 1))
    await still_serves(bench, found)


async def _connect_last(bench: Bench, *commands: Command) -> Session:
    """Tries again while the storm's rest still changes the facts between probe and Hello."""
    for _ in range(STORM_TURNS):
        session = await bench.connect(*commands)
        await bench.pause(QUIET_S)
        if not session.ended:
            return session
        error = await session.end()
        expect(isinstance(error, StaleFacts), "to be let in, or StaleFacts", error)
    raise Failed("to be let in once the storm is over", "StaleFacts every time")

"""Who may speak, what comes first, and what a replica says of itself."""

from __future__ import annotations

from itertools import pairwise

from antiphon.proof.conformance.dataflows import (
    INSTANCE,
    create_instance,
    drop,
    index,
    read,
    schedule,
    table,
)
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    answered,
    counted,
    expect_content,
    expect_count,
    passes,
    refused,
    serving,
    settled_facts,
    still_serves,
)
from antiphon.proof.conformance.verdict import expect, expect_equal
from antiphon.protocol.command import Sent
from antiphon.protocol.errors import (
    InstanceMismatch,
    ProtocolViolated,
    VersionMismatch,
)
from antiphon.protocol.ids import NO_POSITION, InstanceId, ReplicaId
from antiphon.protocol.limits import HEARTBEAT_INTERVAL_MS
from antiphon.protocol.response import Status
from antiphon.protocol.stage import Stage

chapter = Chapter()
BEAT_S = HEARTBEAT_INTERVAL_MS / 1_000
BEAT_GAP_MS_MAX = 2 * HEARTBEAT_INTERVAL_MS  # a busy machine may delay one


@chapter.check("1", title="Hello and CreateInstance alone are answered by heartbeats only")
async def silent_before_commands(bench: Bench) -> None:
    session = bench.open()
    await session.say(Sent(NO_POSITION, await bench.hello()))
    await bench.pause(1.2 * BEAT_S)
    expect(not list(session.transcript.responses()), "silence after Hello", "a response")
    await session.say(create_instance())
    await bench.pause(1.2 * BEAT_S)
    others = [r for r in session.transcript.responses() if not isinstance(r, Status)]
    expect(not others, "heartbeats only", others[:1])
    expect(not session.ended, "an open stream", "an end")


@chapter.check("2", title="a stream that does not begin with Hello is closed and changes nothing")
async def hello_first(bench: Bench) -> None:
    incumbent = await serving(bench)
    before = await settled_facts(bench, incumbent)
    stray = bench.open()
    await stray.say(create_instance())
    await refused(stray, ProtocolViolated)
    expect_equal(await settled_facts(bench, incumbent), before, "the facts")
    await still_serves(bench, incumbent)


@chapter.check("3", title="CreateDataflow before CreateInstance is rejected, not executed")
async def instance_before_dataflow(bench: Bench) -> None:
    incumbent = await serving(bench)
    before = await settled_facts(bench, incumbent)
    session = bench.open()
    early = bench.history.place(index(bench.collection(), table(incumbent.table)))
    await session.say(Sent(NO_POSITION, await bench.hello()), early)
    await refused(session, ProtocolViolated)
    after = await settled_facts(bench, incumbent)
    expect_equal(after.applied_position, before.applied_position, "the applied position")
    expect_equal(after.dataflows, before.dataflows, "the dataflows")


@chapter.check("4", title="what came before InitializationComplete is answered after it")
async def owed_answers(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.collection()
    peeks = [bench.peek_id() for _ in range(3)]
    session = await bench.connect(
        index(target, table(source)),
        schedule(target),
        *(read(peek, target, 15) for peek in peeks),
    )
    for peek in peeks:
        rows = counted(await answered(session, peek))
        expect_content(rows, bench.store.content(source, 15), "at 15")
    await passes(session, target, 19)
    first = session.transcript.frontiers(target)[0]
    full = None not in (first.write_frontier, first.input_frontier, first.output_frontier)
    expect(full, "a first report of all three frontiers", first)
    await bench.pause(QUIET_S)
    for peek in peeks:
        expect_count(session, peek, 1)


@chapter.check("5", title="a version that the replica does not speak is refused")
async def version_refused(bench: Bench) -> None:
    incumbent = await serving(bench)
    versions = (await bench.probe()).versions
    # There is no version 0, and a field without a value says nothing.
    strange = [version for version in (versions.max + 1, versions.min - 1) if version > 0]
    for version in strange:
        session = await bench.connect(protocol_version=version)
        await refused(session, VersionMismatch)
        await still_serves(bench, incumbent)


@chapter.check("6", title="a second connection ends the first and is served")
async def takeover(bench: Bench) -> None:
    first = await serving(bench)
    target = bench.collection()
    second = await bench.connect(index(target, table(first.table)), schedule(target))
    error = await first.session.end()
    expect(error is not None, "the first stream to end with an error", "an end without one")
    peek = bench.peek_id()
    await second.send(read(peek, target, 15))
    rows = counted(await answered(second, peek))
    expect_content(rows, bench.store.content(first.table, 15), "at 15")


@chapter.check("7", "D2", title="an idle session stays up, with a heartbeat each second")
async def heartbeat(bench: Bench) -> None:
    idle = await serving(bench)
    await bench.pause(3.3 * BEAT_S)
    expect(not idle.session.ended, "an open stream", "an end")
    beats = idle.session.transcript.statuses()
    expect(len(beats) >= 2, "a heartbeat each second, so 2 or more in 3.3 s", len(beats))
    for earlier, later in pairwise(beats):
        gap_ms = later.at_ms - earlier.at_ms
        expect(gap_ms <= BEAT_GAP_MS_MAX, f"at most {BEAT_GAP_MS_MAX} ms between beats", gap_ms)
    last = beats[-1].response
    assert isinstance(last, Status), "a transcript's statuses are statuses"
    expect_equal(last.stage, Stage.READ_ONLY, "the stage")
    expect_equal(last.applied_position, bench.history.head, "the applied position")
    await still_serves(bench, idle)


@chapter.check("65", title="a session for another instance or another replica is refused")
async def identity(bench: Bench) -> None:
    incumbent = await serving(bench)
    stranger = InstanceId(INSTANCE + 1)
    await refused(await bench.connect(instance_id=stranger), InstanceMismatch)
    name = ReplicaId((await bench.probe()).replica + "-other")
    await refused(await bench.connect(replica=name), InstanceMismatch)
    await still_serves(bench, incumbent)
    # The Hello fits, and what follows does not: the stream ends, no command is executed.
    session = bench.open()
    await session.say(Sent(NO_POSITION, await bench.hello()), create_instance(stranger))
    await refused(session, ProtocolViolated, InstanceMismatch)


@chapter.check("D8", title="a probe tells whole facts and changes nothing")
async def probe(bench: Bench) -> None:
    found = await serving(bench)
    facts = await bench.facts_where(
        lambda facts: any(found.index in dataflow.exports for dataflow in facts.dataflows),
        "the index among the facts",
    )
    expect_equal(facts.instance_id, INSTANCE, "the instance")
    expect_equal(facts.history_id, bench.history.id, "the history id")
    expect_equal(facts.applied_position, bench.history.head, "the applied position")
    expect_equal(facts.command_digest, bench.history.digest, "the digest of the full set's head")
    expect_equal(facts.stage, Stage.READ_ONLY, "the stage")
    await bench.facts_where(
        lambda facts: all(one.hydrated and one.upper.passes(19) for one in facts.dataflows),
        "a hydrated index with its upper",
    )
    again = await bench.probe()
    expect_equal(again.incarnation, facts.incarnation, "the incarnation")
    expect_equal(again.session_id, facts.session_id, "the session")
    await found.session.send(drop(found.index))
    after = await bench.facts_where(
        lambda facts: facts.applied_position == bench.history.head,
        f"the applied position {bench.history.head} of a live command",
    )
    expect_equal(after.command_digest, bench.history.digest, "the digest, extended")


@chapter.check("D17", title="the health service says that Compute is serving")
async def health(bench: Bench) -> None:
    expect(await bench.health(), "SERVING", "something else")

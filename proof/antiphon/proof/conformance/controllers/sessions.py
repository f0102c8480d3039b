"""How a controller begins and ends sessions, and with whom."""

from __future__ import annotations

from antiphon.proof.conformance.controllers.ports import ControllerBench
from antiphon.proof.conformance.controllers.steps import QUIET_S, not_spoken_to, peek
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.verdict import expect, expect_equal
from antiphon.protocol.command import (
    AllowWrites,
    CreateInstance,
    Hello,
    InitializationComplete,
    SyncDecision,
)
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId
from antiphon.protocol.response import Dropped
from antiphon.protocol.version import SPOKEN, VersionRange

chapter = Chapter()
STRANGER = CollectionId(1 << 40)  # nobody ever created it


@chapter.check("8", title="a session has Hello, CreateInstance and one InitializationComplete")
async def begins(bench: ControllerBench) -> None:
    stream = await (await bench.replica()).stream()
    kinds = [type(sent.command) for sent in stream.heard.commands]
    expect_equal(kinds[:2], [Hello, CreateInstance], "the first two commands")
    expect_equal(kinds.count(Hello), 1, "the number of Hellos")
    expect_equal(kinds.count(InitializationComplete), 1, "the number of InitializationCompletes")


@chapter.check("9", title="no two connections share an id, and sessions count upwards")
async def differs(bench: ControllerBench) -> None:
    replica = await bench.replica()
    hellos = []
    for number in (1, 2, 3):
        stream = await replica.stream(number)
        hellos.append(stream.heard.hello)
        await stream.hang_up()
    ids = {hello.connection_id for hello in hellos if hello is not None}
    expect_equal(len(ids), 3, "the number of connection ids")
    numbers = [hello.session_id for hello in hellos if hello is not None]
    expect(numbers == sorted(set(numbers)), "sessions that count upwards", numbers)


@chapter.check("C1", title="every command is legal where it stands, and refers to what is there")
async def legal(bench: ControllerBench) -> None:
    """The rules are looked for in every session of a run; this one has some of everything."""
    table = await bench.table()
    stream = await (await bench.replica()).stream()
    await bench.sql(f"CREATE INDEX {bench.name('i')} ON {table} (v)")
    asked = bench.ask(f"SELECT k FROM {table}")
    await stream.answer(await peek(stream), (1,))
    expect_equal(await asked.rows(), [(1,)], "the answer")
    expect_equal(stream.heard.illegal, None, "what was illegal")


@chapter.check("C2", title="a replica that has seen a newer epoch is left alone")
async def fenced(bench: ControllerBench) -> None:
    replica = await bench.replica(highest_epoch=Epoch(1 << 40))
    await not_spoken_to(bench, replica, "epoch")


@chapter.check("C3", title="a replica of another instance is left alone")
async def foreign(bench: ControllerBench) -> None:
    replica = await bench.replica(instance_id=InstanceId(0x6F74686572))
    await not_spoken_to(bench, replica, "instance")


@chapter.check("C4", title="a replica with no version in common is left alone")
async def speechless(bench: ControllerBench) -> None:
    later = VersionRange(min=SPOKEN.max + 1_000, max=SPOKEN.max + 1_000)
    replica = await bench.replica(versions=later)
    await not_spoken_to(bench, replica, "version")


@chapter.check("C5", title="a replica at the head is kept up: no numbered command again")
async def kept_up(bench: ControllerBench) -> None:
    table = await bench.table()
    await bench.sql(f"CREATE INDEX {bench.name('i')} ON {table} (v)")
    replica = await bench.replica()
    await (await replica.stream()).hang_up()
    again = await replica.stream(2)
    hello = again.heard.hello
    assert hello is not None, "a complete session has one"
    expect_equal(hello.decision, SyncDecision.KEEP_UP, "the decision")
    expect_equal(again.heard.numbered(), [], "the numbered commands")


@chapter.check("C6", title="a replica behind is sent exactly what it missed")
async def caught_up(bench: ControllerBench) -> None:
    table = await bench.table()
    await bench.sql(f"CREATE INDEX {bench.name('i')} ON {table} (v)")
    replica = await bench.replica()
    stream = await replica.stream()
    position = replica.scripted.facts.applied_position
    away = replica.scripted.facts
    await stream.hang_up()
    await replica.stream(2)  # it comes back by itself, before it says that it is behind
    for name in ("a", "b"):
        await bench.sql(f"CREATE INDEX {bench.name(name)} ON {table} (k)")
    second = await replica.stream(2)
    await second.until(lambda heard: len(heard.numbered()) >= 2, "two new commands")
    replica.claim(
        applied_position=away.applied_position,
        command_digest=away.command_digest,
        dataflows=away.dataflows,
    )
    await second.hang_up()
    third = await replica.stream(3)
    hello = third.heard.hello
    assert hello is not None, "a complete session has one"
    expect_equal(hello.decision, SyncDecision.CATCH_UP, "the decision")
    seen = [sent.position for sent in third.heard.numbered()]
    expect_equal(seen, [position + 1, position + 2], "the positions")


@chapter.check("C7", title="a replica whose digest differs gets the full set, never a suffix")
async def diverged(bench: ControllerBench) -> None:
    table = await bench.table()
    await bench.sql(f"CREATE INDEX {bench.name('i')} ON {table} (v)")
    replica = await bench.replica()
    stream = await replica.stream()
    whole = len(stream.heard.numbered())
    replica.claim(command_digest=b"\x01" * 32)
    await stream.hang_up()
    again = await replica.stream(2)
    hello = again.heard.hello
    assert hello is not None, "a complete session has one"
    full = (SyncDecision.RECONCILE, SyncDecision.REBUILD)
    expect(hello.decision in full, "a full set", hello.decision.name)
    expect_equal(len(again.heard.numbered()), whole, "the number of commands")


@chapter.check("78", "C10", title="writes are allowed last, and not to who warms up read-only")
async def allowed(bench: ControllerBench) -> None:
    warm = await bench.replica(read_only=True)
    stream = await warm.stream()
    other = await (await bench.replica()).stream()
    await other.until(lambda heard: heard.of(AllowWrites), "AllowWrites")
    kinds = [type(sent.command) for sent in other.heard.commands]
    before = kinds.index(InitializationComplete) < kinds.index(AllowWrites)
    expect(before, "AllowWrites after InitializationComplete", [kind.__name__ for kind in kinds])
    await bench.pause(QUIET_S)
    expect_equal(stream.heard.of(AllowWrites), [], "what a read-only replica was allowed")
    await bench.promote(warm)
    await stream.until(lambda heard: heard.of(AllowWrites), "AllowWrites once it is promoted")


@chapter.check("7", "C11", title="silence ends a session, and the replica is called again")
async def silent(bench: ControllerBench) -> None:
    replica = await bench.replica()
    stream = await replica.stream()
    replica.mute()
    await stream.ended("the end of a session on which nothing was said")
    await replica.stream(2)


@chapter.check("C12", title="what no replica may say ends its session, and nobody else's")
async def misbehaves(bench: ControllerBench) -> None:
    table = await bench.table()
    bad, good = await bench.replica(), await bench.replica()
    stream, other = await bad.stream(), await good.stream()
    await stream.blurt(Dropped(collection=STRANGER))
    await stream.ended("the end of a session that broke the protocol")
    asked = bench.ask(f"SELECT k FROM {table}")
    await other.answer(await peek(other), (7,))
    expect_equal(await asked.rows(), [(7,)], "what the other one answers")


@chapter.check("C16", title="a replica that is removed is left")
async def removed(bench: ControllerBench) -> None:
    replica = await bench.replica()
    stream = await replica.stream()
    await bench.remove(replica)
    await stream.ended("the end of a session with a replica that was removed")

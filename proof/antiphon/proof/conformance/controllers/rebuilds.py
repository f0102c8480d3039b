"""What a controller does with replicas whose content is not that of the others.

Two replicas hold one index. The first was filled while it was alone; the second comes to it with
all that it should have. A controller that compares them, by the digests that they tell, finds what
the script says. How often it compares is its own business: one that has not by the end of the
check's patience is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from antiphon.proof.conformance.controllers.ports import ControllerBench, Replica, Stream
from antiphon.proof.conformance.controllers.scripted import Heard
from antiphon.proof.conformance.controllers.steps import QUIET_S, created, peek, peeks_of
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.verdict import Failed, NotApplicable, expect, expect_equal
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowWrites,
    CancelRebuild,
    CreateDataflow,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.content_digest import CONTENT_DIGEST_BYTES
from antiphon.protocol.errors import LinkTimeout
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Frontiers, RebuildCompleted, RebuildResult

chapter = Chapter()
RIGHT: Final = b"\x01" * CONTENT_DIGEST_BYTES
WRONG: Final = b"\x02" * CONTENT_DIGEST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two replicas that hold the index; what `one` holds is not what `other` holds."""

    table: str
    index: CollectionId
    one: Replica
    stream: Stream
    other: Replica
    right: Stream

    def ask(self) -> str:
        return f"SELECT k FROM {self.table} WHERE v = 'one'"


@chapter.check("C19", title="of a replica that differs what differs is rebuilt, of no other one")
async def rebuilt_alone(bench: ControllerBench) -> None:
    pair = await _differing(bench)
    command = await _started(pair.stream)
    expect(pair.index in command.collections, f"u{pair.index} to be rebuilt", command.collections)
    times = (command.base_time, command.target_time)
    expect(times[0] <= times[1] < await bench.upper(), "a base up to a target that is there", times)
    await bench.pause(QUIET_S)
    expect_equal(pair.right.heard.of(StartRebuild), [], "what the other one is to rebuild")


@chapter.check("C20", title="who is rebuilt is not read from before that was accepted")
async def not_read(bench: ControllerBench) -> None:
    pair = await _differing(bench)
    command = await _started(pair.stream)
    asked = bench.ask(pair.ask())
    await pair.right.answer(await peek(pair.right), (1,))
    expect_equal(await asked.rows(), [(1,)], "the answer of the other one")
    await bench.pause(QUIET_S)
    expect_equal(peeks_of(pair.stream.heard), [], "what was asked of who is rebuilt")
    await _complete(pair, command, RIGHT)
    await pair.stream.until(lambda heard: heard.of(AcceptRebuild), "AcceptRebuild")
    again = bench.ask(pair.ask())
    await pair.stream.answer(await peek(pair.stream), (2,))
    expect_equal(await again.rows(), [(2,)], "the answer of who was rebuilt")


@chapter.check("C21", title="what was rebuilt to something else is refused, and not read from")
async def refused(bench: ControllerBench) -> None:
    pair = await _differing(bench)
    # A third one, so that it is clear which one is wrong.
    third = await bench.replica(like=pair.other)
    third.scripted.digest = RIGHT
    await third.stream()
    command = await _started(pair.stream)
    await _complete(pair, command, WRONG)
    await pair.stream.until(lambda heard: heard.of(CancelRebuild), "CancelRebuild")
    expect_equal(pair.stream.heard.of(AcceptRebuild), [], "what was accepted")
    asked = bench.ask(pair.ask())
    await pair.right.answer(await peek(pair.right), (1,))
    expect_equal(await asked.rows(), [(1,)], "the answer of the other one")
    expect_equal(peeks_of(pair.stream.heard), [], "what was asked of who was rebuilt")


@chapter.check("C22", title="a rebuild has a deadline; one that fails is followed by another way")
async def followed(bench: ControllerBench) -> None:
    pair = await _differing(bench)
    command = await _started(pair.stream)
    expect(command.deadline_ms > 0, "a deadline", command.deadline_ms)
    late = failure_of(LinkTimeout("the deadline of the rebuild has passed"))
    await pair.stream.say(RebuildResult(session_id=command.session_id, result=late))
    # Another rebuild of the same session, or another session that builds everything anew.
    await pair.stream.until(
        lambda heard: heard.over or len(_starts(heard)) > 1, "what follows the rebuild"
    )
    if pair.stream.heard.over:
        hello = (await pair.one.stream(2)).heard.hello
        assert hello is not None, "a complete session has one"
        expect_equal(hello.decision, SyncDecision.REBUILD, "the decision")
    else:
        number = _starts(pair.stream.heard)[1].session_id
        expect(number > command.session_id, f"a number above {command.session_id}", number)


@chapter.check("C23", title="a result of a rebuild whose session is over changes nothing")
async def of_the_past(bench: ControllerBench) -> None:
    pair = await _differing(bench)
    command = await _started(pair.stream)
    await pair.stream.hang_up()
    again = await pair.one.stream(2)
    completed = RebuildCompleted(achieved_time=command.target_time, digest=RIGHT)
    await again.blurt(RebuildResult(session_id=command.session_id, result=completed))
    asked = bench.ask(pair.ask())
    await pair.right.answer(await peek(pair.right), (1,))
    expect_equal(await asked.rows(), [(1,)], "the answer of the other one")
    await bench.pause(QUIET_S)
    for heard in pair.one.scripted.sessions[1:]:
        expect_equal(heard.illegal, None, "what was illegal on the next session")
        expect_equal(heard.of(AcceptRebuild), [], "what was accepted on the next session")
        expect_equal(peeks_of(heard), [], "what was asked of it")


@chapter.check("C24", title="what no controller has accepted is compared before it counts")
async def unaccepted(bench: ControllerBench) -> None:
    """As the one that was there before might have left it."""
    pair = await _pair(bench, differs=False, unaccepted=True)
    asked = bench.ask(pair.ask())
    await pair.stream.answer(await peek(pair.stream), (1,))
    expect_equal(await asked.rows(), [(1,)], "the answer of who was accepted")
    await bench.pause(QUIET_S)
    expect_equal(peeks_of(pair.right.heard), [], "what was asked of what nobody has compared")
    expect_equal(pair.right.heard.of(AllowWrites), [], "what it was allowed")
    pair.other.scripted.digest = WRONG
    await _fill(bench, pair.other, pair.right, pair.index)
    await pair.right.ended("the end of a session with what is not that of the others")
    expect_equal(peeks_of(pair.right.heard), [], "what was asked of what is wrong")


async def _differing(bench: ControllerBench) -> _Pair:
    return await _pair(bench, differs=True, unaccepted=False)


async def _pair(bench: ControllerBench, *, differs: bool, unaccepted: bool) -> _Pair:
    table = await bench.table()
    name = bench.name("i")
    await bench.sql(f"CREATE INDEX {name} ON {table} (v)")
    one = await bench.replica()
    one.scripted.digest = WRONG if differs else RIGHT
    stream = await one.stream()
    command = (await created(stream, name)).command
    assert isinstance(command, CreateDataflow), "as it was looked for"
    index = command.dataflow.exports[0].collection
    await _fill(bench, one, stream, index)
    await stream.until(lambda heard: heard.of(AllowWrites), "AllowWrites for who is filled")
    other = await bench.replica(like=one, unaccepted=unaccepted)
    other.scripted.digest = RIGHT
    return _Pair(
        table=table, index=index, one=one, stream=stream, other=other, right=await other.stream()
    )


async def _fill(
    bench: ControllerBench, replica: Replica, stream: Stream, index: CollectionId
) -> None:
    """It has the index, up to now."""
    upper = Frontier(await bench.upper())
    replica.scripted.reached(index, upper)
    await stream.say(
        Frontiers(
            collection=index, write_frontier=upper, input_frontier=upper, output_frontier=upper
        )
    )


async def _started(stream: Stream) -> StartRebuild:
    """Raises NotApplicable: nobody has compared the two so far, or rebuilds in service."""
    try:
        return (await stream.until(_starts, "StartRebuild"))[0]
    except Failed as error:
        if stream.heard.illegal is not None:
            raise
        raise NotApplicable(f"nothing was rebuilt in time: {error.seen}") from error


def _starts(heard: Heard) -> list[StartRebuild]:
    found = (sent.command for sent in heard.of(StartRebuild))
    return [command for command in found if isinstance(command, StartRebuild)]


async def _complete(pair: _Pair, command: StartRebuild, digest: bytes) -> None:
    completed = RebuildCompleted(
        achieved_time=command.target_time, digest=digest * len(command.collections)
    )
    await pair.stream.say(RebuildResult(session_id=command.session_id, result=completed))

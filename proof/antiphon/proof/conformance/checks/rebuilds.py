"""Rebuild sessions: two lanes beside what is in force, one result, and nothing before acceptance.

What is in force and what is rebuilt are told apart by a row that the store has held back: it is put
there after the first snapshot was read, at a time that only another snapshot shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from antiphon.proof.conformance.content import Row, digest
from antiphon.proof.conformance.dataflows import feed, index, schedule, table
from antiphon.proof.conformance.peer import Chunk, chunks_of
from antiphon.proof.conformance.ports import Bench, Session
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    expect_content,
    passes,
    refused,
    rows_at,
    serving,
    still_serves,
)
from antiphon.proof.conformance.transcript import Transcript
from antiphon.proof.conformance.verdict import Failed, NotApplicable, expect, expect_equal, one_line
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowWrites,
    CancelRebuild,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.errors import NotServed, ProtocolViolated
from antiphon.protocol.ids import CollectionId, SessionId
from antiphon.protocol.response import Failure, RebuildCompleted, RebuildResult

chapter = Chapter()
DEADLINE_MS: Final = 300  # of a rebuild that cannot come to its end
LATE_ROW: Final = (99, "late")  # only a new snapshot has it

Result = RebuildCompleted | Failure


@chapter.check("D19", title="a rebuild has one result")
async def one_result(bench: Bench) -> None:
    found = await serving(bench)
    await found.session.send(start(1, found.index))
    await completed(found.session, 1)
    await bench.pause(QUIET_S)
    expect_equal(len(results(found.session.transcript)), 1, "the number of results")
    await still_serves(bench, found)


@chapter.check("D25", title="a rebuild's result names a time past the target, and the digests then")
async def said_right(bench: Bench) -> None:
    found = await serving(bench)
    other, another = bench.table((7, "g"), (8, "h")), bench.collection()
    await found.session.send(index(another, table(other)), schedule(another))
    await bench.append(25, found.table, ((4, "d"), 1), ((1, "a"), 1))
    await rows_at(bench, found.session, another, 25)
    await found.session.send(start(1, another, found.index, base=20, target=24))
    result = await completed(found.session, 1)
    time = result.achieved_time
    expect(24 <= time < bench.store.upper, f"a time from 24 to {bench.store.upper - 1}", time)
    whole = [bench.store.content(source, time) for source in (other, found.table)]
    expect_equal(result.digest, b"".join(map(digest, whole)), f"the digests at {time}")


@chapter.check(
    "D26", title="of a table nothing at or before the base counts twice, nothing is lost"
)
async def strictly_above(bench: Bench) -> None:
    found = await serving(bench)
    await bench.append(25, found.table, ((4, "d"), 1), ((1, "a"), 1))
    await bench.append(30, found.table, ((5, "e"), 1), ((2, "b"), -1))
    await still_serves(bench, found)
    bench.store.is_early = True
    await found.session.send(start(1, found.index, base=25, target=30))
    await completed(found.session, 1)
    await bench.append(32, found.table, ((6, "f"), 1))
    await _accepted(bench, found.session, 1, found.index, found.table)


@chapter.check("D27", title="of a feed a row of the base yields to what was written since")
async def yields(bench: Bench) -> None:
    fed = await _fed(bench)
    bench.store.is_held = bench.store.is_early = True
    await bench.append(25, fed.source, ((1, "newer"), 1), ((2, None), -1), ((4, "d"), 1))
    await fed.session.send(start(1, fed.index, base=25, target=28))
    # The live lane hears of 30, and once more of 25, before the base comes.
    await bench.append(30, fed.source, ((3, "newest"), 1), ((4, None), -1))
    await passes(fed.session, fed.index, 30)
    await bench.pause(QUIET_S)
    await bench.release()
    await completed(fed.session, 1)
    await _accepted(bench, fed.session, 1, fed.index, fed.source)


@chapter.check("D28", title="a rebuild is complete with both lanes, past its target, not before")
async def both_lanes(bench: Bench) -> None:
    found = await serving(bench)
    await found.session.send(start(1, found.index, target=27))
    await bench.append(25, found.table, ((4, "d"), 1))
    await passes(found.session, found.index, 25)
    await _no_result(bench, found.session, "before the live lane has passed the target")
    await bench.append(28, found.table, ((5, "e"), 1))
    await completed(found.session, 1)
    bench.store.is_held = True
    await found.session.send(start(2, found.index, base=25, target=27))
    await bench.append(30, found.table, ((6, "f"), 1))
    await passes(found.session, found.index, 30)
    await _no_result(bench, found.session, "before the base is there", 1)
    await bench.release()
    await completed(found.session, 2)
    await _accepted(bench, found.session, 2, found.index, found.table)


@chapter.check("D29", title="what is rebuilt is not read before it is accepted, and then is")
async def not_before(bench: Bench) -> None:
    found = await serving(bench)
    before = bench.store.content(found.table, 19)
    bench.store.tamper(found.table, LATE_ROW)
    await found.session.send(start(1, found.index))
    await completed(found.session, 1)
    await bench.pause(QUIET_S)
    seen = await rows_at(bench, found.session, found.index, 19)
    expect_content(seen, before, "before the acceptance")
    await _accepted(bench, found.session, 1, found.index, found.table)


@chapter.check("D34", title="accepting what has not completed is refused")
async def too_early(bench: Bench) -> None:
    found = await serving(bench)
    bench.store.is_held = True
    await found.session.send(start(1, found.index))
    await bench.pause(QUIET_S)
    await _no_result(bench, found.session, "before the base is there")
    await found.session.send(AcceptRebuild(session_id=SessionId(1)))
    await refused(found.session, ProtocolViolated)


@chapter.check("D30", title="a canceled rebuild has no result and leaves everything as it was")
async def canceled(bench: Bench) -> None:
    found = await serving(bench)
    before = bench.store.content(found.table, 19)
    bench.store.tamper(found.table, LATE_ROW)
    bench.store.is_held = True
    await found.session.send(start(1, found.index))
    await bench.pause(QUIET_S)
    await found.session.send(CancelRebuild(session_id=SessionId(1), reason="the check wants it"))
    await bench.release()
    await _no_result(bench, found.session, "of a canceled rebuild")
    await bench.append(25, found.table, ((4, "d"), 1))
    seen = await rows_at(bench, found.session, found.index, 25)
    expect_content(seen, before + Counter({(4, "d"): 1}), "at 25")


@chapter.check("D31", title="a newer rebuild ends the older one; an older start does not begin")
async def superseded(bench: Bench) -> None:
    found = await serving(bench)
    bench.store.is_held = True
    await found.session.send(start(3, found.index), start(2, found.index), start(5, found.index))
    for number in (3, 2):
        result = await resulted(found.session, number)
        expect(isinstance(result, Failure), f"a failure of rebuild {number}", _shown(result))
    await bench.release()
    await completed(found.session, 5)
    await bench.pause(QUIET_S)
    numbers = [number for number, _ in results(found.session.transcript)]
    expect_equal(sorted(numbers), [2, 3, 5], "the rebuilds that have a result")
    await _accepted(bench, found.session, 5, found.index, found.table)


@chapter.check("D32", title="a rebuild fails at its deadline, and what is in force goes on")
async def late(bench: Bench) -> None:
    found = await serving(bench)
    bench.store.is_held = True
    await found.session.send(start(1, found.index, deadline_ms=DEADLINE_MS))
    result = await resulted(found.session, 1)
    expect(isinstance(result, Failure), "a failure", _shown(result))
    await bench.release()
    await bench.append(25, found.table, ((4, "d"), 1))
    await still_serves(bench, found)
    await found.session.send(start(2, found.index))
    await completed(found.session, 2)


@chapter.check("D33", title="a peer's chunks may come twice; a missing one is no base")
async def from_a_peer(bench: Bench) -> None:
    fed = await _fed(bench)
    await bench.append(25, fed.source, ((1, "newer"), 1), ((5, "e"), 1))
    content = bench.store.content(fed.source, 25)
    honest = chunks_of(content, 25, digest(content))
    await bench.append(30, fed.source, ((2, "newest"), 1), ((5, None), -1))
    await passes(fed.session, fed.index, 30)
    right: tuple[tuple[str, Sequence[Chunk]], ...] = (
        ("in order, one twice", (honest[0], honest[0], honest[1], honest[2])),
        ("out of order", (honest[2], honest[0], honest[1])),
    )
    unsigned = replace(honest[2], digest=b"")
    wrong: tuple[tuple[str, Sequence[Chunk]], ...] = (
        ("without one of them", (honest[0], honest[0], unsigned)),
        ("with another digest", (honest[0], honest[1], replace(honest[2], digest=bytes(16)))),
        ("without the last", honest[:2]),
    )
    for number, (how, chunks) in enumerate((*right, *wrong), 1):
        bench.peer.chunks = chunks
        await fed.session.send(
            start(number, fed.index, base=22, target=28, peer=bench.peer_address)
        )
        result = await resulted(fed.session, number)
        if not bench.peer.asked:
            raise NotApplicable("it takes its base from the store, whatever peer is named")
        if (how, chunks) in right:
            expect(isinstance(result, RebuildCompleted), f"completion {how}", _shown(result))
            await _accepted(bench, fed.session, number, fed.index, fed.source)
        else:
            expect(isinstance(result, Failure), f"a failure {how}", _shown(result))
    epochs = {asked.epoch for asked in bench.peer.asked}
    expect_equal(epochs, {bench.epoch}, "the epochs that the peer was told")


@chapter.check("D36", title="what is built anew is unaccepted until it may write or counts")
async def unaccepted(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.collection()
    commands = (index(target, table(source)), schedule(target))
    first = await bench.connect(*commands, decision=SyncDecision.REBUILD)
    await rows_at(bench, first, target, 19)
    await _says(bench, "built anew by a session", is_unaccepted=True)
    # The controller may be another one now, and knows of the session only what is said here.
    session = await bench.connect(*commands, decision=SyncDecision.RECONCILE)
    await rows_at(bench, session, target, 19)
    await _says(bench, "on another connection", is_unaccepted=True)
    await session.send(AllowWrites())
    await _says(bench, "once it may write", is_unaccepted=False)
    await session.send(start(1, target))
    await completed(session, 1)
    await _says(bench, "with what was rebuilt", is_unaccepted=True)
    await session.send(AcceptRebuild(session_id=SessionId(1)))
    await _says(bench, "once the rebuild counts", is_unaccepted=False)


def start(
    number: int,
    *collections: CollectionId,
    base: int = 15,
    target: int = 18,
    deadline_ms: int = 5_000,
    peer: str = "",
) -> StartRebuild:
    return StartRebuild(
        session_id=SessionId(number),
        collections=collections,
        base_time=base,
        target_time=target,
        deadline_ms=deadline_ms,
        peer=peer,
    )


def results(transcript: Transcript) -> list[tuple[int, Result]]:
    found = [r for r in transcript.responses() if isinstance(r, RebuildResult)]
    return [(result.session_id, result.result) for result in found]


async def resulted(session: Session, number: int) -> Result:
    """The rebuild's result. Raises NotApplicable: the replica has no rebuilds."""

    def find(transcript: Transcript) -> list[Result]:
        return [found for n, found in results(transcript) if n == number]

    result = (await session.until(find, f"a result of rebuild {number}"))[0]
    if isinstance(result, Failure) and result.code == NotServed.code:
        raise NotApplicable(f"not served: {result.message}")
    return result


async def completed(session: Session, number: int) -> RebuildCompleted:
    result = await resulted(session, number)
    if not isinstance(result, RebuildCompleted):
        raise Failed(f"rebuild {number} completed", _shown(result))
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fed:
    session: Session
    source: CollectionId
    index: CollectionId


async def _fed(bench: Bench) -> _Fed:
    """A session with an index of a feed, which has answered a read."""
    source, target = bench.collection(), bench.collection()
    bench.store.create(source, is_feed=True)
    bench.store.fill(source, *ROWS)
    session = await bench.connect(index(target, feed(source)), schedule(target))
    await rows_at(bench, session, target, 19)
    return _Fed(session=session, source=source, index=target)


async def _accepted(
    bench: Bench, session: Session, number: int, target: CollectionId, source: CollectionId
) -> None:
    """Once it is accepted, it is read, is right, and goes on."""
    await session.send(AcceptRebuild(session_id=SessionId(number)))
    for _ in range(2):
        time = bench.store.upper - 1
        seen = await rows_at(bench, session, target, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}, once accepted")
        row: Row = (1_000 + time, "later")
        await bench.append(time + 1, source, (row, 1))


async def _says(bench: Bench, when: str, *, is_unaccepted: bool) -> None:
    await bench.facts_where(
        lambda facts: facts.unaccepted is is_unaccepted,
        f"the facts to say unaccepted: {is_unaccepted}, {when}",
    )


async def _no_result(bench: Bench, session: Session, when: str, count: int = 0) -> None:
    await bench.pause(QUIET_S)
    expect_equal(len(results(session.transcript)), count, f"the number of results {when}")


def _shown(result: Result) -> str:
    if isinstance(result, RebuildCompleted):
        return f"a completion at {result.achieved_time}"
    return one_line(f"the failure {result.code}: {result.message}")

"""State for a peer: exactly what the collection holds at a time, in chunks, and nothing is held for
who is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from antiphon.proof.conformance.content import digest, summed
from antiphon.proof.conformance.dataflows import feed, index, schedule, table
from antiphon.proof.conformance.peer import Chunk
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    ROWS,
    expect_content,
    rows_at,
    serving,
    still_serves,
)
from antiphon.proof.conformance.verdict import Failed, NotApplicable, expect, expect_equal
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    EpochFenced,
    InstanceMismatch,
    NotComplete,
    NotServed,
    SinceViolation,
)
from antiphon.protocol.ids import CollectionId, Epoch

chapter = Chapter()
LARGE_ROWS: Final = 40_000  # more than a chunk, whatever a chunk is
HANG_UPS: Final = 40  # more than anybody serves at once


@chapter.check(
    "D22", title="state is given exactly at the asked time, in ordered chunks, with its digest"
)
async def exactly(bench: Bench) -> None:
    found = await serving(bench)
    await bench.append(25, found.table, ((4, "d"), 1), ((1, "a"), 1))
    await bench.append(30, found.table, ((4, "d"), -1), ((2, "b"), -1))
    await still_serves(bench, found)
    for time in (20, 25, 30):
        chunks = await fetched(bench, found.index, time)
        expect({chunk.time for chunk in chunks} == {time}, f"chunks of {time}", chunks)
        _expect_whole(chunks, bench, found.table, time)
        again = await bench.state(found.index, time, first_chunk=len(chunks) - 1)
        expect_equal(again, chunks[-1:], "the chunks from the last one on")
    await _refused(bench, found.index, 9, SinceViolation)
    await _refused(bench, found.index, 31, NotComplete)
    await _refused(bench, bench.collection(), 20, CollectionMissing)
    await _refused(bench, found.index, 20, EpochFenced, epoch=Epoch(bench.epoch - 1))
    history = bench.history.id.value
    ours = await bench.state(found.index, 20, history_id=history)
    expect({chunk.time for chunk in ours} == {20}, "chunks of 20 for its own history", ours)
    for other in (bytes(16), history[:15], history + b"\x00"):
        await _refused(bench, found.index, 20, InstanceMismatch, history_id=other)


@chapter.check("D23", title="the state of a feed is each key's row, of a time that is said")
async def of_a_feed(bench: Bench) -> None:
    source, target = bench.collection(), bench.collection()
    bench.store.create(source, is_feed=True)
    bench.store.fill(source, *ROWS)
    session = await bench.connect(index(target, feed(source)), schedule(target))
    await bench.append(25, source, ((1, "other"), 1), ((2, None), -1))
    await rows_at(bench, session, target, 25)
    try:
        chunks = await fetched(bench, source, 15)
    except CollectionMissing as error:
        raise NotApplicable(f"it keeps no rows of a feed: {error}") from error
    time = chunks[0].time
    expect({chunk.time for chunk in chunks} == {time}, f"chunks of {time}", chunks)
    expect(15 <= time < bench.store.upper, "a time that is not before 15", time)
    _expect_whole(chunks, bench, source, time)


@chapter.check("D24", title="who hangs up in the middle of a state leaves room for others")
async def hung_up(bench: Bench) -> None:
    source, target = bench.table(), bench.collection()
    bench.store.fill(source, *((number, f"w{number}") for number in range(LARGE_ROWS)))
    session = await bench.connect(index(target, table(source)), schedule(target))
    await rows_at(bench, session, target, 15)
    first = (await fetched(bench, target, 15, chunks_max=1))[0]
    if first.last:
        raise NotApplicable(f"{LARGE_ROWS} rows are one chunk")
    for _ in range(HANG_UPS):
        await fetched(bench, target, 15, chunks_max=1)
    _expect_whole(await fetched(bench, target, 15), bench, source, 15)


async def fetched(
    bench: Bench, collection: CollectionId, time: int, chunks_max: int | None = None
) -> list[Chunk]:
    """Raises NotApplicable: the replica does not serve its state."""
    try:
        return await bench.state(collection, time, chunks_max=chunks_max)
    except NotServed as error:
        raise NotApplicable(f"not served: {error}") from error


def _expect_whole(chunks: Sequence[Chunk], bench: Bench, source: CollectionId, time: int) -> None:
    content = bench.store.content(source, time)
    numbers = [chunk.index for chunk in chunks]
    expect_equal(numbers, list(range(len(chunks))), "the numbers of the chunks")
    expect_equal([chunk.last for chunk in chunks].index(True), len(chunks) - 1, "the last chunk")
    changes = [change for chunk in chunks for change in chunk.changes]
    strays = [change for change in changes if change[1] != time]
    expect_equal(strays, [], f"rows of another time than {time}")
    expect_content(summed(changes), content, f"in the state at {time}")
    expect_equal(len(changes), len(content), "the rows of the state, each once")
    totals = [chunk.rows_total for chunk in chunks]
    expect(min(totals) >= len(content), f"a rows_total of {len(content)} or more", totals)
    expect_equal(totals[-1], len(content), "the last rows_total")
    expect_equal(chunks[-1].digest, digest(content), "the digest of the last chunk")


async def _refused(
    bench: Bench,
    collection: CollectionId,
    time: int,
    kind: type[ComputeError],
    *,
    epoch: Epoch | None = None,
    history_id: bytes = b"",
) -> None:
    try:
        chunks = await bench.state(collection, time, epoch=epoch, history_id=history_id)
    except kind:
        return
    except ComputeError as error:
        raise Failed(kind.__name__, f"{type(error).__name__}: {error}") from error
    raise Failed(kind.__name__, f"{len(chunks)} chunks")

"""Reads at one time: exactly one answer, the right one, when its time has come."""

from __future__ import annotations

from antiphon.proof.conformance.content import rows_of
from antiphon.proof.conformance.dataflows import (
    BYTES_MAX,
    ROWS_MAX,
    compact,
    divided,
    drop,
    feed,
    get,
    index,
    read,
    read_plan,
    schedule,
    table,
)
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    answer,
    answered,
    answered_once,
    counted,
    dropped,
    expect_content,
    expect_count,
    expect_failure,
    rows_at,
    serving,
    shown,
)
from antiphon.proof.conformance.verdict import Failed, expect, expect_equal
from antiphon.protocol.command import CancelPeek, UpdateConfiguration
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    DataError,
    LimitExceeded,
    SinceViolation,
)
from antiphon.protocol.ids import PeekId
from antiphon.protocol.limits import PEEK_INLINE_BYTES_MAX
from antiphon.protocol.response import PeekCanceled, PeekRows, PeekStashed

chapter = Chapter()
LARGE_ROWS = 3_000
LARGE_TEXT = "x" * 1_000


@chapter.check("22", title="a read of what is complete gets exactly one answer, the right rows")
async def one_answer(bench: Bench) -> None:
    source, target = bench.table(*ROWS, (1, "a")), bench.collection()
    session = await bench.connect(index(target, table(source)), schedule(target))
    peek = read(bench.peek_id(), target, 15)
    await session.send(peek)
    rows = counted(await answered_once(bench, session, peek.peek_id))
    expect_content(rows, bench.store.content(source, 15), "at 15")
    await bench.append(25, source, ((1, "a"), -2), ((7, "g"), 3))
    for time in (25, 24, 15):
        seen = await rows_at(bench, session, target, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}")


@chapter.check("23", title="a read ahead of the upper waits for it, and is answered once")
async def patient_peek(bench: Bench) -> None:
    found = await serving(bench)
    peek = read(bench.peek_id(), found.index, 30)
    await found.session.send(peek)
    await bench.append(25, found.table, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    expect_count(found.session, peek.peek_id, 0)
    await bench.append(30, found.table, ((5, "e"), 1))
    rows = counted(await answered_once(bench, found.session, peek.peek_id))
    expect_content(rows, bench.store.content(found.table, 30), "at 30")


@chapter.check("24", title="a read before since fails, once")
async def before_since(bench: Bench) -> None:
    found = await serving(bench)
    peek = read(bench.peek_id(), found.index, 7)
    await found.session.send(peek)
    result = await answered_once(bench, found.session, peek.peek_id)
    expect_failure(result, SinceViolation.code)


@chapter.check("25", title="a waiting read that is canceled gets exactly one answer")
async def canceled_peek(bench: Bench) -> None:
    found = await serving(bench)
    peek = read(bench.peek_id(), found.index, 30)
    await found.session.send(peek)
    await bench.pause(QUIET_S)
    await found.session.send(CancelPeek(peek_id=peek.peek_id))
    result = await answered(found.session, peek.peek_id)
    expect(isinstance(result, PeekCanceled), "Canceled", shown(result))
    await bench.append(30, found.table, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    expect_count(found.session, peek.peek_id, 1)


@chapter.check("26", title="a cancel after the answer is followed by silence")
async def late_cancel(bench: Bench) -> None:
    found = await serving(bench)
    peek = read(bench.peek_id(), found.index, 15)
    counted(await answer(found.session, peek))
    await found.session.send(CancelPeek(peek_id=peek.peek_id))
    await found.session.send(CancelPeek(peek_id=bench.peek_id()))  # of nothing at all
    await bench.pause(QUIET_S)
    expect_count(found.session, peek.peek_id, 1)
    expect(not found.session.ended, "an open stream", "an end")


@chapter.check(
    "27", title="a read is served at its time even if compaction or a drop follows at once"
)
async def pinned_peek(bench: Bench) -> None:
    for follow in (lambda collection: compact(collection, 20), drop):
        found = await serving(bench)
        now = read(bench.peek_id(), found.index, 15)
        later = read(bench.peek_id(), found.index, bench.store.upper)
        await found.session.send(now, later, follow(found.index))
        rows = counted(await answered(found.session, now.peek_id))
        expect_content(rows, bench.store.content(found.table, 15), "at 15")
        await bench.append(later.time, found.table, ((4, "d"), 1))
        rows = counted(await answered_once(bench, found.session, later.peek_id))
        expect_content(rows, bench.store.content(found.table, later.time), f"at {later.time}")
        if follow is drop:
            await dropped(found.session, found.index)


@chapter.check("28", title="Canceled is never said unless somebody canceled")
async def never_canceled(bench: Bench) -> None:
    found = await serving(bench)
    other = bench.collection()
    peeks = [read(bench.peek_id(), found.index, time) for time in (7, 15, 30)]
    peeks.append(read(bench.peek_id(), other, 15))
    await found.session.send(*peeks, CancelPeek(peek_id=bench.peek_id()))
    await found.session.send(UpdateConfiguration(values={"some_key": "1"}), drop(found.index))
    await bench.append(30, found.table, ((4, "d"), 1))
    for peek in peeks:
        result = await answered(found.session, peek.peek_id)
        expect(not isinstance(result, PeekCanceled), "an answer", "Canceled")
    expect_failure(await answered(found.session, peeks[-1].peek_id), CollectionMissing.code)


@chapter.check("29", title="an answer above a limit fails, also if the limit came while it waited")
async def limits(bench: Bench) -> None:
    found = await serving(bench)
    for rows_max, bytes_max in ((2, BYTES_MAX), (ROWS_MAX, 1)):
        peek = read(bench.peek_id(), found.index, 15, rows_max=rows_max, bytes_max=bytes_max)
        expect_failure(await answer(found.session, peek), LimitExceeded.code)
    waiting = read(bench.peek_id(), found.index, 30)
    await found.session.send(waiting)
    await bench.pause(QUIET_S)
    await found.session.send(UpdateConfiguration(values={"result_bytes_max": "1"}))
    await bench.append(30, found.table, ((4, "d"), 1))
    result = await answered_once(bench, found.session, waiting.peek_id)
    expect_failure(result, LimitExceeded.code)


@chapter.check("30", title="a read by keys returns those keys, however they are asked for")
async def by_keys(bench: Bench) -> None:
    source, target = bench.table(*ROWS, (2, "other")), bench.collection()
    session = await bench.connect(index(target, table(source)), schedule(target))
    content = bench.store.content(source, 15)
    for keys in ([2], [3, 2, 3], [99], [99, 1], []):
        result = await answer(session, read(bench.peek_id(), target, 15, keys=keys))
        wanted = {row: count for row, count in content.items() if row[0] in keys}
        expect_content(counted(result), type(content)(wanted), f"of keys {keys}")


@chapter.check("31", title="an error at the read's time is the answer, whatever rows there are")
async def errors_win(bench: Bench) -> None:
    source, target, ratio = bench.table(*ROWS), bench.collection(), bench.collection()
    session = await bench.connect(
        index(target, table(source)),
        schedule(target),
        index(ratio, table(source), plan=divided(get(source), 6)),
        schedule(ratio),
    )
    await rows_at(bench, session, ratio, 15)
    await bench.append(25, source, errors=(("bad_value", 1),))
    await bench.append(27, source, errors=(("bad_value", -1),))
    await bench.append(30, source, ((0, "zero"), 1))
    await bench.append(33, source, ((0, "zero"), -1))
    for collection, time in ((target, 25), (ratio, 25), (ratio, 30)):
        result = await answer(session, read(bench.peek_id(), collection, time))
        expect_failure(result, DataError.code)
    for time in (15, 27, 30, 33):
        seen = await rows_at(bench, session, target, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}")
    await rows_at(bench, session, ratio, 33)


@chapter.check("32", title="a large answer is stashed, fetched once in chunks, and counted right")
async def stashed(bench: Bench) -> None:
    source, target = bench.table(), bench.collection()
    session = await bench.connect(index(target, table(source)), schedule(target))
    await bench.append(25, source, *(((k, LARGE_TEXT), 1) for k in range(LARGE_ROWS)))
    first, second = read(bench.peek_id(), target, 25), read(bench.peek_id(), target, 25)
    result = await answer(session, first)
    if isinstance(result, PeekRows):
        counted(result)
        byte_count = sum(len(batch) for batch in result.batches)
        raise Failed(f"at most {PEEK_INLINE_BYTES_MAX} bytes inline", str(byte_count))
    if not isinstance(result, PeekStashed):
        raise Failed("a stashed answer", shown(result))
    chunks = await bench.fetch(first.peek_id)
    rows = rows_of(batch for batch, _ in chunks)
    expect_equal(len(rows), LARGE_ROWS, "the rows fetched")
    expect_equal(result.row_count, LARGE_ROWS, "row_count")
    expect_equal(sum(count for _, count in chunks), LARGE_ROWS, "the chunks' row_count")
    expect_equal({row[0] for row in rows}, set(range(LARGE_ROWS)), "the keys fetched")
    await _expect_gone(bench, first.peek_id)
    # One that was canceled after its answer leaves nothing behind.
    await answer(session, second)
    await session.send(CancelPeek(peek_id=second.peek_id))
    await rows_at(bench, session, target, 15)
    await bench.pause(QUIET_S)
    await _expect_gone(bench, second.peek_id)


@chapter.check("D14", title="a plan is evaluated once over tables read from the store")
async def plan_over_the_store(bench: Bench) -> None:
    found = await serving(bench)
    other = bench.table((7, "g"), (8, "h"))
    peek = read_plan(bench.peek_id(), get(other), (table(other),), 15)
    await found.session.send(peek)
    rows = counted(await answered_once(bench, found.session, peek.peek_id))
    expect_content(rows, bench.store.content(other, 15), "at 15")
    overwritten = bench.collection()
    bench.store.create(overwritten, is_feed=True)
    bench.store.fill(overwritten, (1, "old"), (1, "new"), (2, "b"))
    peek = read_plan(bench.peek_id(), get(overwritten), (feed(overwritten),), 15)
    rows = counted(await answer(found.session, peek))
    expect_content(rows, bench.store.content(overwritten, 15), "of a feed at 15")


@chapter.check("D15", title="answers are ordered, cut and projected by the replica")
async def finished_answers(bench: Bench) -> None:
    found = await serving(bench)
    await bench.append(25, found.table, ((5, None), 1), ((4, "d"), 2))
    for finishing, wanted in (
        (Finishing(order_by=((0, True, False),), limit=3), [(5, None), (4, "d"), (4, "d")]),
        (Finishing(order_by=((1, False, True),), limit=2), [(5, None), (1, "a")]),
        (Finishing(order_by=((0, False, False),), offset=3), [(4, "d"), (4, "d"), (5, None)]),
        (Finishing(order_by=((0, False, False),), offset=9), []),
    ):
        result = await answer(
            found.session, read(bench.peek_id(), found.index, 25, finishing=finishing)
        )
        counted(result)
        assert isinstance(result, PeekRows), "what was counted is rows"
        expect_equal(rows_of(result.batches), wanted, f"the rows with {finishing}")


async def _expect_gone(bench: Bench, peek_id: PeekId) -> None:
    try:
        chunks = await bench.fetch(peek_id)
    except ComputeError as error:
        expect(error.definite, "a definite error", error)
        return
    raise Failed("nothing left to fetch", f"{len(chunks)} chunks")

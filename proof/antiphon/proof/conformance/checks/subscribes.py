"""Subscribes and copy-tos: everything once, in intervals without gap, and one end."""

from __future__ import annotations

from antiphon.proof.conformance.dataflows import (
    AS_OF,
    constant,
    dataflow,
    drop,
    schedule,
    subscribe,
    table,
    view,
)
from antiphon.proof.conformance.ports import Bench, Session
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    covers,
    dropped,
    expect_content,
    serving,
)
from antiphon.proof.conformance.transcript import CopyToResult
from antiphon.proof.conformance.verdict import NotApplicable, expect, expect_equal
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.dataflow import CopyToExport, SubscribeExport
from antiphon.protocol.errors import LimitExceeded, NotServed
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToRows,
    Dropped,
    Failure,
    SubscribeBatch,
    SubscribeDropped,
)

chapter = Chapter()


@chapter.check("40", title="a subscribe says everything once, in contiguous intervals")
async def contiguous(bench: Bench) -> None:
    source, whole, news = bench.table(*ROWS), bench.transient(), bench.transient()
    session = await bench.connect(
        subscribe(whole, table(source)),
        schedule(whole),
        subscribe(news, table(source), with_snapshot=False),
        schedule(news),
    )
    for time in (25, 26, 40):
        await bench.append(time, source, ((time, "x"), 2), ((time, "y"), 1))
        seen = await covers(session, whole, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}")
    await bench.append(41, source, ((25, "x"), -2))
    seen = await covers(session, whole, 41)
    expect_content(seen, bench.store.content(source, 41), "at 41")
    changed = bench.store.content(source, 41) - bench.store.content(source, AS_OF)
    expect_content(await covers(session, news, 41), changed, "without the snapshot")
    first = session.transcript.batches(whole)[0]
    expect(first.upper.passes(AS_OF), f"a first interval past as_of {AS_OF}", first.upper)


@chapter.check("41", title="a dropped subscribe ends once, at its last upper, and is silent")
async def dropped_subscribe(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.transient()
    session = await bench.connect(subscribe(target, table(source)), schedule(target))
    await covers(session, target, 19)
    await session.send(drop(target))
    await dropped(session, target)
    await bench.append(25, source, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    said = session.transcript.subscribed(target)
    ends = [one for one in said if isinstance(one, SubscribeDropped)]
    expect_equal(len(ends), 1, "the number of SubscribeDropped")
    expect_equal(said[-1], ends[0], "the last word of the subscribe")
    batches = session.transcript.batches(target)
    expect_equal(ends[0].at, batches[-1].upper, "where it ended")
    expect_equal(session.transcript.drops(target), 1, "the number of Dropped")


@chapter.check("42", title="a subscribe that reached its end does not end again when dropped")
async def finished_subscribe(bench: Bench) -> None:
    target = bench.transient()
    session = await bench.connect(
        dataflow((), (target, SubscribeExport()), plan=constant(*ROWS)), schedule(target)
    )

    def closed(batches: list[SubscribeBatch]) -> bool:
        return bool(batches) and batches[-1].upper.is_closed

    await session.until(lambda t: closed(t.batches(target)), "a closed upper")
    await session.send(drop(target))
    await dropped(session, target)
    await bench.pause(QUIET_S)
    last = session.transcript.subscribed(target)[-1]
    expect(isinstance(last, SubscribeBatch), "no SubscribeDropped", last)


@chapter.check("43", title="a subscribe's batch above the limit is a failure with a valid interval")
async def too_large(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.transient()
    session = await bench.connect(
        UpdateConfiguration(values={"subscribe_bytes_max": "4096"}),
        subscribe(target, table(source)),
        schedule(target),
    )
    await covers(session, target, 19)
    await bench.append(25, source, *(((k, "x" * 100), 1) for k in range(1_000)))
    failed = await session.until(
        lambda t: next((b for b in t.batches(target) if b.failure is not None), None),
        "a batch that is a failure",
    )
    assert failed.failure is not None, "it was found by its failure"
    expect_equal(failed.failure.code, LimitExceeded.code, "the failure")
    expect(failed.lower.less_than(failed.upper), "an interval", f"{failed.lower}, {failed.upper}")
    await bench.append(30, source, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    expect_equal(session.transcript.subscribed(target)[-1], failed, "the last word")


@chapter.check("49", title="a copy-to is answered once, finished, failed or dropped")
async def copy_to(bench: Bench) -> None:
    source, target, never = bench.table(*ROWS), bench.transient(), bench.transient()
    kind = CopyToExport(uri="conformance/copy.parquet", format="parquet")
    session = await bench.connect(
        dataflow((table(source),), (target, kind)),
        dataflow((table(source),), (never, kind)),
        schedule(target),
    )
    result = await _copied(session, target)
    if isinstance(result, Failure) and result.code == NotServed.code:
        raise NotApplicable(f"not served: {result.message}")
    if isinstance(result, CopyToRows):
        expect_equal(result.row_count, len(ROWS), "row_count")
    await session.send(drop(target), drop(never))
    await dropped(session, target)
    await dropped(session, never)
    unfinished = await _copied(session, never)
    expect(isinstance(unfinished, CopyToDropped), "CopyToDropped", unfinished)
    await bench.pause(QUIET_S)
    for collection in (target, never):
        expect_equal(len(session.transcript.copied(collection)), 1, "the number of answers")


@chapter.check("D1", title="Dropped is said exactly once, whatever was dropped")
async def every_kind(bench: Bench) -> None:
    found = await serving(bench)
    session = found.session
    shard, follower, finished = bench.collection(), bench.transient(), bench.transient()
    bench.store.create_shard(shard)
    await session.send(
        view(shard, table(found.table)),
        schedule(shard),
        subscribe(follower, table(found.table), as_of=15),
        schedule(follower),
        dataflow((), (finished, SubscribeExport()), plan=constant(*ROWS)),
    )
    await covers(session, follower, 19)
    collections = (found.index, shard, follower, finished)
    await session.send(*(drop(collection) for collection in collections))
    for collection in collections:
        await dropped(session, collection)
    await bench.append(25, found.table, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    for collection in collections:
        expect_equal(session.transcript.drops(collection), 1, "the number of Dropped")
        last = session.transcript.about(collection)[-1]
        expect(isinstance(last, Dropped), "Dropped as the last word", last)
    # The ids were not used up by this session alone: another may create them again.
    again = await bench.connect(view(shard, table(found.table)), schedule(shard))
    await again.until(lambda t: t.reached(shard) == Frontier(26), "a new life for the same id")


async def _copied(session: Session, collection: CollectionId) -> CopyToResult:
    return await session.until(
        lambda t: next(iter(t.copied(collection)), None), "an answer of the copy-to"
    )

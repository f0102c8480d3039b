"""Dataflows: what their frontiers say, when they begin, when they end."""

from __future__ import annotations

from dataclasses import replace

from antiphon.proof.conformance.dataflows import (
    AS_OF,
    compact,
    constant,
    dataflow,
    drop,
    index,
    indexed,
    read,
    schedule,
    subscribe,
    table,
)
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    answer,
    answered_once,
    covers,
    dropped,
    expect_content,
    expect_failure,
    passes,
    refused,
    rows_at,
    serving,
    still_serves,
)
from antiphon.proof.conformance.verdict import expect, expect_equal
from antiphon.protocol.dataflow import IndexExport
from antiphon.protocol.errors import ProtocolViolated, SinceViolation
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.response import Dropped

chapter = Chapter()
KINDS = ("write", "input", "output")
BY_KEY = IndexExport(key_columns=(0,))


@chapter.check("10", title="the first frontier of each kind is not before as_of")
async def first_frontiers(bench: Bench) -> None:
    found = await serving(bench)
    await passes(found.session, found.index, 19)
    first = found.session.transcript.frontiers(found.index)[0]
    for frontier in (first.write_frontier, first.input_frontier, first.output_frontier):
        reported = frontier is not None and Frontier(AS_OF).less_equal(frontier)
        expect(reported, f"all three frontiers at {AS_OF} or later", first)


@chapter.check("11", title="frontiers follow the inputs and never move back")
async def frontiers_advance(bench: Bench) -> None:
    found = await serving(bench)
    for time in (25, 26, 40):
        await bench.append(time, found.table, ((time, "x"), 1))
        for kind in KINDS:
            seen = await passes(found.session, found.index, time, kind)
            expect_equal(seen, Frontier(time + 1), f"the {kind} frontier")


@chapter.check("12", title="what has finished closes every frontier once")
async def finished(bench: Bench) -> None:
    target = bench.collection()
    session = await bench.connect(
        dataflow((), (target, BY_KEY), plan=constant(*ROWS)), schedule(target)
    )
    await session.until(
        lambda transcript: all(transcript.reached(target, kind) == CLOSED for kind in KINDS),
        "three closed frontiers",
    )
    seen = await rows_at(bench, session, target, 1_000)
    expect_equal(sorted(seen), sorted(ROWS), "the rows at any later time")
    await bench.pause(QUIET_S)


@chapter.check("13", title="a dropped index is acknowledged once, and that is the last of it")
async def drop_of_an_index(bench: Bench) -> None:
    found = await serving(bench)
    await found.session.send(drop(found.index))
    await dropped(found.session, found.index)
    await bench.append(25, found.table, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    expect_equal(found.session.transcript.drops(found.index), 1, "the number of Dropped")
    last = found.session.transcript.about(found.index)[-1]
    expect(isinstance(last, Dropped), "Dropped as the last word", last)
    expect_failure(
        await answer(found.session, read(bench.peek_id(), found.index, 25)), "collection_missing"
    )


@chapter.check("14", title="dropping what has finished is acknowledged, without more frontiers")
async def drop_of_the_finished(bench: Bench) -> None:
    target = bench.collection()
    session = await bench.connect(
        dataflow((), (target, BY_KEY), plan=constant(*ROWS)), schedule(target)
    )
    await session.until(lambda t: t.reached(target) == CLOSED, "a closed frontier")
    await bench.pause(QUIET_S)
    before = len(session.transcript.frontiers(target))
    await session.send(drop(target))
    await dropped(session, target)
    await bench.pause(QUIET_S)
    expect_equal(len(session.transcript.frontiers(target)), before, "the number of reports")
    expect_equal(session.transcript.drops(target), 1, "the number of Dropped")


@chapter.check("15", title="of two exports one is dropped, and the other goes on")
async def two_exports(bench: Bench) -> None:
    source, first, second = bench.table(*ROWS), bench.collection(), bench.collection()
    both = dataflow((table(source),), (first, BY_KEY), (second, BY_KEY))
    session = await bench.connect(both, schedule(first), schedule(second))
    await rows_at(bench, session, first, 15)
    await session.send(drop(first))
    await dropped(session, first)
    await bench.append(25, source, ((4, "d"), 1))
    await passes(session, second, 25)
    seen = await rows_at(bench, session, second, 25)
    expect_content(seen, bench.store.content(source, 25), "at 25")
    expect_equal(session.transcript.drops(second), 0, "the number of Dropped for the other")


@chapter.check("16", title="an index that another one imports may be dropped under it")
async def drop_of_an_input(bench: Bench) -> None:
    found = await serving(bench)
    session, above = found.session, bench.collection()
    await session.send(index(above, indexed(found.index), as_of=19), schedule(above))
    await rows_at(bench, session, above, 19)
    await session.send(drop(found.index))
    await bench.append(25, found.table, ((1, "a"), -1), ((4, "d"), 1))
    seen = await rows_at(bench, session, above, 25)
    expect_content(seen, bench.store.content(found.table, 25), "at 25")
    await session.send(drop(above))
    await dropped(session, above)
    await dropped(session, found.index)


@chapter.check(
    "17", title="a dataflow computes nothing before Schedule, and can be dropped unscheduled"
)
async def unscheduled(bench: Bench) -> None:
    source, waiting, never = bench.table(*ROWS), bench.collection(), bench.collection()
    session = await bench.connect(index(waiting, table(source)), index(never, table(source)))
    await bench.append(25, source, ((4, "d"), 1))
    await bench.pause(QUIET_S)
    for collection in (waiting, never):
        reached = session.transcript.reached(collection) or Frontier(AS_OF)
        expect_equal(reached, Frontier(AS_OF), "the output frontier before Schedule")
    await session.send(drop(never), schedule(waiting))
    await dropped(session, never)
    seen = await rows_at(bench, session, waiting, 25)
    expect_content(seen, bench.store.content(source, 25), "at 25")


@chapter.check("D35", title="what is said of several collections at once holds for each")
async def several(bench: Bench) -> None:
    source = bench.table(*ROWS)
    first, *others = targets = [bench.collection() for _ in range(3)]
    creates = [index(target, table(source)) for target in targets]
    session = await bench.connect(*creates, schedule(first, *others))
    for target in targets:
        await rows_at(bench, session, target, 15)
    await session.send(compact(first, 18, *others))
    for target in targets:
        peek = read(bench.peek_id(), target, 16)
        await session.send(peek)
        expect_failure(await answered_once(bench, session, peek.peek_id), SinceViolation.code)
    await session.send(replace(drop(first), others=tuple(others)))
    await refused(session, ProtocolViolated)


@chapter.check("19", title="compaction may be allowed beyond the upper; what is before it is gone")
async def compaction_ahead(bench: Bench) -> None:
    found = await serving(bench)
    await found.session.send(compact(found.index, 30))
    await bench.append(24, found.table, ((4, "d"), 1))
    await passes(found.session, found.index, 24)
    peek = read(bench.peek_id(), found.index, 22)
    await found.session.send(peek)
    result = await answered_once(bench, found.session, peek.peek_id)
    expect_failure(result, SinceViolation.code)
    await bench.append(35, found.table, ((5, "e"), 1))
    await passes(found.session, found.index, 35)
    await still_serves(bench, found)


@chapter.check("20", title="nothing at or after `until` is ever seen")
async def until(bench: Bench) -> None:
    source, target, follower = bench.table(*ROWS), bench.collection(), bench.transient()
    session = await bench.connect(
        index(target, table(source), until=30),
        schedule(target),
        subscribe(follower, table(source), until=30),
        schedule(follower),
    )
    await bench.append(25, source, ((4, "d"), 1))
    await bench.append(30, source, ((5, "e"), 1))
    await bench.append(35, source, ((6, "f"), 1))
    expected = bench.store.content(source, 29)
    expect_content(await covers(session, follower, 40), expected, "in the subscribe")
    expect_content(await rows_at(bench, session, target, 40), expected, "at 40")


@chapter.check(
    "21", title="commands about unknown, dropped or compacted collections close the stream"
)
async def unknown_collections(bench: Bench) -> None:
    unknown = bench.collection()
    for command in (schedule(unknown), compact(unknown, 15), drop(unknown)):
        found = await serving(bench)
        await found.session.send(command)
        await refused(found.session, ProtocolViolated)
    for first, second in (
        (drop, schedule),
        (drop, drop),
        (lambda c: compact(c, 15), lambda c: compact(c, 12)),
    ):
        found = await serving(bench)
        await found.session.send(first(found.index), second(found.index))
        await refused(found.session, ProtocolViolated)
    await serving(bench)

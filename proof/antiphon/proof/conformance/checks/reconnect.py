"""What a new connection finds: reuse where that is right, rebuilding where it is not, no leftovers.

Reuse is seen from outside by the snapshots that a replica does or does not ask the store for.
"""

from __future__ import annotations

from antiphon.proof.conformance.dataflows import (
    above,
    compact,
    create_instance,
    get,
    index,
    indexed,
    read,
    schedule,
    subscribe,
    table,
)
from antiphon.proof.conformance.ports import Bench, Session
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    QUIET_S,
    ROWS,
    answered,
    counted,
    covers,
    expect_content,
    passes,
    rows_at,
    serving,
)
from antiphon.proof.conformance.verdict import NotApplicable, expect, expect_equal
from antiphon.protocol.command import (
    Command,
    CommandSet,
    CreateDataflow,
    Sent,
    SyncDecision,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId
from antiphon.protocol.response import PeekResponse

chapter = Chapter()
LATER = 22  # an as_of that a controller would choose when it comes back


@chapter.check(
    "57", title="reconcile: what is asked for again, later, keeps its state and reports again"
)
async def reused(bench: Bench) -> None:
    await _reuse(bench, name="check")


@chapter.check("58", title="reconcile: another name alone is no reason to rebuild")
async def reused_by_another_name(bench: Bench) -> None:
    await _reuse(bench, name="another name")


@chapter.check(
    "59", title="reconcile: another plan, an earlier as_of, other imports give right results"
)
async def replaced(bench: Bench) -> None:
    source, other = bench.table(*ROWS), bench.table((7, "g"))
    plan, early, moved = bench.collection(), bench.collection(), bench.collection()
    first = await bench.connect(
        *_with_schedules(
            index(plan, table(source)), index(early, table(source)), index(moved, table(source))
        )
    )
    await first.send(compact(early, 18))
    await rows_at(bench, first, early, 19)
    second = await bench.connect(
        *_with_schedules(
            index(plan, table(source), plan=above(get(source), 1)),
            index(early, table(source), as_of=12),
            index(moved, table(other)),
        ),
        decision=SyncDecision.RECONCILE,
    )
    content = bench.store.content(source, 15)
    expect_content(await rows_at(bench, second, early, 15), content, "at the earlier as_of")
    higher = type(content)({row: count for row, count in content.items() if row[0] > 1})
    expect_content(await rows_at(bench, second, plan, 15), higher, "of the changed plan")
    seen = await rows_at(bench, second, moved, 15)
    expect_content(seen, bench.store.content(other, 15), "of the changed import")


@chapter.check("60", title="reconcile: what reads a replaced index is replaced too")
async def transitively_replaced(bench: Bench) -> None:
    source, lower, upper = bench.table(*ROWS), bench.collection(), bench.collection()
    dependant = index(upper, indexed(lower))
    first = await bench.connect(*_with_schedules(index(lower, table(source)), dependant))
    await rows_at(bench, first, upper, 15)
    second = await bench.connect(
        *_with_schedules(index(lower, table(source), plan=above(get(source), 1)), dependant),
        decision=SyncDecision.RECONCILE,
    )
    await bench.append(25, source, ((4, "d"), 1), ((0, "z"), 1))
    content = bench.store.content(source, 25)
    higher = type(content)({row: count for row, count in content.items() if row[0] > 1})
    expect_content(await rows_at(bench, second, upper, 25), higher, "at 25")


@chapter.check("61", title="what a full set does not name is dropped, and nothing is said about it")
async def absent(bench: Bench) -> None:
    found = await serving(bench)
    gone = bench.collection()
    await found.session.send(index(gone, table(found.table)), schedule(gone))
    await rows_at(bench, found.session, gone, 15)
    second = await bench.connect(
        index(found.index, table(found.table)),
        schedule(found.index),
        decision=SyncDecision.RECONCILE,
    )
    await bench.append(25, found.table, ((4, "d"), 1))
    await rows_at(bench, second, found.index, 25)
    await bench.pause(QUIET_S)
    expect_equal(second.transcript.about(gone), [], "what is said about the absent index")
    await bench.facts_where(
        lambda facts: [one.exports for one in facts.dataflows] == [(found.index,)],
        "the named dataflow alone",
    )


@chapter.check("62", title="of waiting reads the new connection answers those it repeats, once")
async def repeated_peeks(bench: Bench) -> None:
    found = await serving(bench)
    forgotten, repeated = bench.peek_id(), bench.peek_id()
    peek = read(repeated, found.index, 30)
    await found.session.send(read(forgotten, found.index, 30), peek)
    await bench.pause(QUIET_S)
    second = await bench.connect(
        index(found.index, table(found.table)), schedule(found.index), peek
    )
    await bench.append(30, found.table, ((4, "d"), 1))
    rows = counted(await answered(second, repeated))
    expect_content(rows, bench.store.content(found.table, 30), "at 30")
    await bench.pause(QUIET_S)
    answers = [r.peek_id for r in second.transcript.responses() if isinstance(r, PeekResponse)]
    expect_equal(answers, [repeated], "the reads answered")


@chapter.check(
    "63", title="a subscribe begins anew on a new connection, with no word of the old one"
)
async def subscribe_again(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.transient()
    first = await bench.connect(subscribe(target, table(source)), schedule(target))
    await bench.append(25, source, ((4, "d"), 1))
    await covers(first, target, 25)
    second = await bench.connect(
        subscribe(target, table(source), as_of=LATER),
        schedule(target),
        decision=SyncDecision.RECONCILE,
    )
    await bench.append(30, source, ((1, "a"), -1))
    seen = await covers(second, target, 30)
    expect_content(seen, bench.store.content(source, 30), "from the beginning to 30")
    begins = second.transcript.batches(target)[0]
    starts = begins.lower.less_equal(Frontier(LATER + 1)) and begins.upper.passes(LATER)
    expect(starts, f"a first interval over {LATER}", f"{begins.lower} to {begins.upper}")


@chapter.check("64", title="a connection that dies before InitializationComplete changes nothing")
async def half_sent(bench: Bench) -> None:
    found = await serving(bench)
    position = bench.history.head
    before = await bench.facts_where(
        lambda facts: len(facts.dataflows) == 1, "one dataflow among the facts"
    )
    half = bench.open()
    await half.say(Sent(NO_POSITION, await bench.hello()), create_instance())
    other = bench.collection()
    await half.send(index(other, table(found.table)), schedule(other))
    await bench.pause(QUIET_S)
    await half.close()
    await bench.pause(QUIET_S)
    after = await bench.probe()
    expect_equal(after.applied_position, position, "the applied position")
    expect_equal(after.command_digest, before.command_digest, "the digest")
    exports = [dataflow.exports for dataflow in after.dataflows]
    expect_equal(exports, [(found.index,)], "the dataflows")
    session = await bench.connect(index(found.index, table(found.table)), schedule(found.index))
    await rows_at(bench, session, found.index, 15)
    expect_equal(session.transcript.about(other), [], "what is said about the half-sent index")


@chapter.check("D7", title="a suffix extends what is there: nothing is dropped or read again")
async def suffix(bench: Bench) -> None:
    found = await serving(bench)
    reads = bench.store.reads(found.table)
    other, another = bench.table((7, "g")), bench.collection()
    session = await bench.connect(
        schedule(found.index),
        *_with_schedules(index(another, table(other))),
        decision=SyncDecision.CATCH_UP,
        command_set=CommandSet.SUFFIX,
    )
    seen = await rows_at(bench, session, another, 15)
    expect_content(seen, bench.store.content(other, 15), "of what the suffix created")
    seen = await rows_at(bench, session, found.index, 15)
    expect_content(seen, bench.store.content(found.table, 15), "of what was there")
    session = await bench.connect(
        schedule(found.index),
        schedule(another),
        decision=SyncDecision.KEEP_UP,
        command_set=CommandSet.SUFFIX,
    )
    await bench.append(25, found.table, ((4, "d"), 1))
    seen = await rows_at(bench, session, found.index, 25)
    expect_content(seen, bench.store.content(found.table, 25), "after keeping up")
    await rows_at(bench, session, another, 25)
    expect_equal(bench.store.reads(found.table), reads, "the snapshots read")


async def _reuse(bench: Bench, name: str) -> None:
    """Two indexes of two tables, asked for again: neither table is read a second time."""
    tables = (bench.table(*ROWS), bench.table((7, "g")))
    targets = (bench.collection(), bench.collection())
    pairs = tuple(zip(targets, tables, strict=True))
    first = await bench.connect(*_with_schedules(*(index(t, table(s)) for t, s in pairs)))
    for target, source in pairs:
        await bench.append(bench.store.upper, source, ((9, "i"), 1))
        await passes(first, target, bench.store.upper - 1)
    reads = [bench.store.reads(source) for source in tables]
    second = await bench.connect(
        *_with_schedules(*(index(t, table(s), as_of=20, name=name) for t, s in pairs)),
        decision=SyncDecision.RECONCILE,
    )
    time = bench.store.upper - 1
    for target, source in pairs:
        await _reports_again(second, target)
        seen = await rows_at(bench, second, target, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}")
    again = [bench.store.reads(source) - reads[n] for n, source in enumerate(tables)]
    if all(again):
        raise NotApplicable("it keeps no state over a reconnection: every table was read again")
    expect(not any(again), "no table to be read again", f"{again} snapshots")


async def _reports_again(session: Session, target: CollectionId) -> None:
    report = await session.until(
        lambda t: next(iter(t.frontiers(target)), None), "a fresh report of frontiers"
    )
    for frontier in (report.write_frontier, report.input_frontier, report.output_frontier):
        told = frontier is not None and Frontier(20).less_equal(frontier)
        expect(told, "all three frontiers at 20 or later", report)


def _with_schedules(*creates: CreateDataflow) -> tuple[Command, ...]:
    """Each dataflow, and then permission to compute each."""
    exports = [export for create in creates for export in create.dataflow.exports]
    return (*creates, *(schedule(export.collection) for export in exports))

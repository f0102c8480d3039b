"""Materialized views: written when that is allowed, once, and healed where they were wrong."""

from __future__ import annotations

from antiphon.proof.conformance.content import Row
from antiphon.proof.conformance.dataflows import index, materialized, schedule, table, view
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import QUIET_S, ROWS, expect_content, passes, rows_at
from antiphon.proof.conformance.store import ScriptedStore
from antiphon.proof.conformance.verdict import expect_equal
from antiphon.protocol.command import AllowWrites
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId

chapter = Chapter()


@chapter.check("18", title="nothing is written before AllowWrites, and everything once after it")
async def write_gate(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.collection()
    bench.store.create_shard(target)
    session = await bench.connect(view(target, table(source)), schedule(target))
    await bench.append(25, source, ((4, "d"), 1))
    await passes(session, target, 25)
    await bench.pause(QUIET_S)
    expect_equal(bench.store.shard(target).upper, START, "the shard's upper before AllowWrites")
    await session.send(AllowWrites())
    await _written(bench, target, source, 25)
    await passes(session, target, 25, "write")
    appends = bench.store.applied(target)
    await session.send(AllowWrites())
    await bench.pause(QUIET_S)
    expect_equal(bench.store.applied(target), appends, "the number of appends")
    await bench.append(30, source, ((4, "d"), -1), ((5, "e"), 1))
    await _written(bench, target, source, 30)


@chapter.check(
    "67", title="the permission to write ends with its connection; what was written stays"
)
async def read_only_again(bench: Bench) -> None:
    source, target = bench.table(*ROWS), bench.collection()
    bench.store.create_shard(target)
    commands = (view(target, table(source)), schedule(target))
    first = await bench.connect(*commands)
    await first.send(AllowWrites())
    await _written(bench, target, source, 19)
    bench.next_epoch()
    second = await bench.connect(*commands)
    await bench.append(25, source, ((4, "d"), 1))
    await passes(second, target, 25)
    await bench.pause(QUIET_S)
    expect_equal(bench.store.shard(target).upper, Frontier(20), "the shard's upper, read-only")
    seen = await rows_at(bench, second, target, 25)
    expect_content(seen, bench.store.content(source, 25), "at 25")
    await second.send(AllowWrites())
    await _written(bench, target, source, 25)


@chapter.check("D13", title="a shard that holds something else is corrected, once")
async def corrected(bench: Bench) -> None:
    wrong: tuple[Row, ...] = ((1, "a"), (9, "wrong"), (9, "wrong"))
    source, target = bench.table(*ROWS), bench.collection()
    bench.store.create_shard(target, upper=15, changes=tuple((row, 12, 1) for row in wrong))
    commands = (view(target, table(source)), schedule(target))
    session = await bench.connect(*commands)
    await session.send(AllowWrites())
    await _written(bench, target, source, 19)
    # Another writer was faster, and wrote the same; nothing of it may be added again.
    await bench.append(25, source, ((4, "d"), 1))
    await _written(bench, target, source, 25)
    shard = bench.store.shard(target)
    shard.changes.append(((5, "e"), 30, 1))
    shard.upper = Frontier(31)
    await bench.append(30, source, ((5, "e"), 1))
    await bench.append(35, source, ((5, "e"), -1))
    await _written(bench, target, source, 35)


@chapter.check("D16", title="an index of a written view serves the view")
async def view_as_input(bench: Bench) -> None:
    source, middle, target = bench.table(*ROWS), bench.collection(), bench.collection()
    bench.store.create_shard(middle)
    session = await bench.connect(
        view(middle, table(source)),
        schedule(middle),
        index(target, materialized(middle)),
        schedule(target),
    )
    await session.send(AllowWrites())
    await bench.append(25, source, ((4, "d"), 1))
    seen = await rows_at(bench, session, target, 25)
    expect_content(seen, bench.store.content(source, 25), "at 25")


async def _written(bench: Bench, target: CollectionId, source: CollectionId, time: int) -> None:
    """The shard reaches past `time` and holds what the table holds, at each time it had."""

    def reached(store: ScriptedStore) -> bool:
        return store.shard(target).upper.passes(time)

    await bench.stored(reached, f"the shard's upper past {time}")
    expect_content(
        bench.store.content(target, time),
        bench.store.content(source, time),
        f"in the shard at {time}",
    )

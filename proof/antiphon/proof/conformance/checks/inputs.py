"""What arrives from the store: pushes are hints, calls break, feeds overwrite."""

from __future__ import annotations

from antiphon.proof.conformance.dataflows import feed, index, schedule, subscribe, table
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    ROWS,
    covers,
    expect_content,
    passes,
    rows_at,
    serving,
    still_serves,
)
from antiphon.proof.conformance.store import Mischief
from antiphon.proof.conformance.verdict import expect

chapter = Chapter()


@chapter.check("D10", title="pushes that come twice, overlap or leave a gap change nothing")
async def hints(bench: Bench) -> None:
    found = await serving(bench)
    follower = bench.transient()
    await found.session.send(subscribe(follower, table(found.table), as_of=15), schedule(follower))
    await covers(found.session, follower, 19)
    time = 25
    for mischief in (Mischief.DOUBLED, Mischief.OVERLAPPING, Mischief.LOST):
        await bench.append(time, found.table, ((time, "x"), 1), ((1, "a"), 1))
        await passes(found.session, found.index, time)
        await bench.append(time + 2, found.table, ((time, "y"), 1), mischief=mischief)
        await bench.append(time + 4, found.table, ((time, "x"), -1))
        await still_serves(bench, found)
        seen = await covers(found.session, follower, time + 4)
        expect_content(seen, bench.store.content(found.table, time + 4), f"after {mischief.name}")
        time += 10


@chapter.check("D11", title="a tail that breaks is taken up where it was")
async def broken_tail(bench: Bench) -> None:
    found = await serving(bench)
    await bench.append(25, found.table, ((4, "d"), 1))
    await passes(found.session, found.index, 25)
    await bench.append(30, found.table, ((5, "e"), 1), mischief=Mischief.BROKEN)
    await still_serves(bench, found)
    await bench.append(35, found.table, ((4, "d"), -1))
    await still_serves(bench, found)
    expect(not found.session.ended, "the same session", "its end")
    again = bench.store.tails[-1][found.table]
    expect(again <= 26, "a tail from 26 or before", again)


@chapter.check("D12", title="a feed's overwrites become differences, once for each tick")
async def overwrites(bench: Bench) -> None:
    source, target, follower = bench.collection(), bench.collection(), bench.transient()
    bench.store.create(source, is_feed=True)
    bench.store.fill(source, *ROWS)
    session = await bench.connect(
        index(target, feed(source)),
        schedule(target),
        subscribe(follower, feed(source)),
        schedule(follower),
    )
    await rows_at(bench, session, target, 15)
    for time, changes in (
        (25, (((1, "other"), 1), ((4, "d"), 1))),
        (26, (((2, None), -1), ((9, None), -1))),  # 9 is not there to be deleted
        (27, (((2, "back"), 1), ((3, "c"), 1))),  # 3 is what it was
        (30, (((1, None), -1),)),
    ):
        await bench.append(time, source, *changes)
        seen = await rows_at(bench, session, target, time)
        expect_content(seen, bench.store.content(source, time), f"at {time}")
        seen = await covers(session, follower, time)
        expect_content(seen, bench.store.content(source, time), f"in the subscribe at {time}")

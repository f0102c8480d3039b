"""Rebuilds under everything that may happen to them, against the source's content."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import Unavailable
from antiphon.protocol.response import RebuildCompleted
from antiphon.replica.ports import SnapshotFailed
from tests.replica.bench import J, X, rows, schedule
from tests.replica.rebuilding.test_rebuild import (
    V,
    accept,
    cancel,
    digest,
    read,
    results,
    serving,
    start,
    tamper,
)
from tests.replica.scripted import FEED, TABLE, Row, above, feed, get, index, index_import

STEPS = st.integers(0, 2**32)


@settings(max_examples=60)
@given(STEPS)
def test_killed_at_any_step_the_next_session_converges(seed: int) -> None:
    """Sync 24, 25: the source changes all the time; sessions are cut off by disconnections, by
    restarts, by cancels and lost bases at any point; what is accepted at last is the source's."""
    random = Random(seed)
    bench = serving()
    commands = [
        index(X),
        index(J, imports=(feed(),), plan=get(FEED)),
        index(V, imports=(index_import(X),), plan=above(get(X), 2)),
    ]
    time, session, accepted = 40, 0, 0
    tamper(bench, X)
    for _ in range(40):
        step = random.choice(["tick", "tick", "work", "start", "cut", "cancel", "hold", "release",
                              "lose", "accept", "late"])  # fmt: skip
        if step == "tick":
            time += random.randint(1, 3)
            row: Row = (random.randint(0, 7), random.choice("abc"))
            collection = random.choice([TABLE, FEED])
            sign = -1 if collection == FEED and random.random() < 0.3 else 1
            bench.store.append(max(time, bench.store.upper), collection, (row, sign))
            bench.store.upper = time = max(time, bench.store.upper) + 1
            bench.push()
        elif step == "work":
            bench.work()
        elif step == "start":
            session += 1
            base = bench.store.upper - random.randint(1, 4)
            target, peer = base + random.randint(0, 3), random.choice(["", "r2:1"])
            bench.send(start(session, X, V, J, base=base, target=target, peer=peer))
        elif step == "cut":
            bench.connect(*commands, *(schedule(number) for number in (X, J, V)))
            session = 0
            bench.take()
        elif step == "cancel" and session:
            bench.send(cancel(session))
        elif step == "hold":
            bench.holds_snapshots = True
        elif step == "release":
            bench.release()
        elif step == "lose" and bench.held_back:
            lost = bench.held_back.pop()
            if bench.worker._held.inputs.owns(lost.snapshot):
                error = Unavailable("the source is gone")
                bench.handle(SnapshotFailed(snapshot=lost.snapshot, error=error))
        elif step == "late":
            bench.push(lower=max(0, bench.tail_reached - 5))
        elif step == "accept":
            done = [n for n, result in results(bench) if isinstance(result, RebuildCompleted)]
            if session in done and accepted != session:
                accepted = session
                bench.send(accept(session))
    bench.release()
    bench.run()
    bench.wait(2_000)
    bench.take()
    bench.send(
        start(session + 1, X, V, J, base=bench.store.upper - 2, target=bench.store.upper - 1)
    )
    bench.run()
    bench.send(accept(session + 1))
    bench.run()
    result = dict(results(bench))[session + 1]
    assert isinstance(result, RebuildCompleted), result
    achieved = result.achieved_time
    whole = bench.store.content(TABLE, achieved)
    over = Counter({row: n for row, n in whole.items() if row[0] > 2})
    assert result.digest == digest(whole) + digest(over) + digest(
        bench.store.content(FEED, achieved)
    )
    for number, collection in enumerate((X, J), 1):
        source = TABLE if collection == X else FEED
        for offset, when in enumerate((achieved, bench.store.upper - 1)):
            seen = read(bench, 10 * number + offset, collection, when)
            assert seen == bench.store.content(source, when)
    bench.tick(bench.store.upper, *rows((1, "end"), (6, "end")))
    last = bench.store.upper - 1
    assert read(bench, 90, X, last) == bench.store.content(TABLE, last)

"""A feed is a table whose differences are made by whoever reads it: each view of the one holds, at
every time, what the same view of the other does."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import CreateDataflow
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.dataflow.arrangements.trace import Trace
from tests.replica.bench import Bench, compact, schedule
from tests.replica.scripted import FEED, TABLE, Row
from tests.replica.stored import Store
from tests.replica.town import OTHER, description, rows_at

# Of `x`, which is the table a or the feed f, by its key k; b is a table.
SHAPES = (
    "SELECT k, v FROM x",
    "SELECT v, k FROM x WHERE k > 1 AND v <> 'b'",
    "SELECT v, count(*) AS n, min(k) AS l, max(k) AS m FROM x GROUP BY v",
    "SELECT count(*) AS n, sum(k) AS s FROM x",
    "SELECT DISTINCT v FROM x",
    "SELECT b.v, x.v AS w FROM b JOIN x ON b.k = x.k",
    "SELECT b.k, x.k AS l FROM b JOIN x ON b.v = x.v",
    "SELECT b.k, x.v FROM b JOIN x ON b.k = x.k AND b.v = x.v",
    "SELECT b.v, x.v AS w FROM b JOIN x ON b.k = x.k WHERE x.v <> 'a'",
    "SELECT y.k, z.v FROM x y JOIN x z ON y.k = z.k",
    "SELECT y.k, z.k AS l FROM x y JOIN x z ON y.v = z.v",
    "SELECT x.k, x.v, b.v AS w FROM x LEFT JOIN b ON x.k = b.k",
    "SELECT b.k, b.v, x.v AS w FROM b LEFT JOIN x ON x.k = b.k",
    "SELECT x.k, b.k AS l, b.v FROM x FULL JOIN b ON x.k = b.k",
    "SELECT x.k, b.k AS l FROM x FULL JOIN b ON x.v = b.v",
    "SELECT b.k, b.v FROM b WHERE EXISTS (SELECT 1 FROM x WHERE x.k = b.k)",
    "SELECT b.k, b.v FROM b WHERE b.k NOT IN (SELECT k FROM x WHERE v = 'a')",
    "SELECT k, v FROM (SELECT k, v FROM x ORDER BY k DESC LIMIT 2) top",
    "SELECT k, v FROM (SELECT k, v, row_number() OVER (PARTITION BY v ORDER BY k) AS n FROM x) r "
    "WHERE n <= 2",
    "SELECT k, v, row_number() OVER (PARTITION BY v ORDER BY k) AS n, "
    "lag(k) OVER (PARTITION BY v ORDER BY k) AS l, sum(k) OVER (ORDER BY k) AS s FROM x",
    "SELECT k FROM x WHERE v = 'a' UNION SELECT k FROM b",
    "SELECT x.v, count(*) AS n, max(b.v) AS w FROM x JOIN b ON x.k = b.k GROUP BY x.v",
)  # fmt: skip
VIEWS_MAX = 8  # of either kind, about
OF_FEED, OF_TABLE = 100, 200  # the views' collections begin there


def of(name: str, query: str) -> str:
    """The query with x for that collection."""
    return re.sub(r"\b(FROM|JOIN) x( [yz]\b)?", lambda m: f"{m[1]} {name}{m[2] or ' x'}", query)


class Twins:
    """One content as a feed and as a table, and the same views of both on one worker."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.store = Store(upper=1)
        self.store.changes[OTHER] = []
        self.live: dict[int, Row] = {}
        self.others: list[Row] = []
        self.since: dict[int, int] = {}  # of each shape that is viewed
        self.bench = Bench(self.store)
        self.bench.fuel = self.random.choice([3, 20, 1_000])
        for _ in range(3):
            self.tick()
        self.bench.connect()

    def tick(self) -> None:
        """Overwrites and deletes by key; of the table what they change."""
        time = self.store.upper + self.random.randint(0, 1)
        for key in self.random.sample(range(7), self.random.randint(0, 5)):
            row: Row = (key, self.random.choice(["a", "b", "c", None]))
            before = self.live.pop(key, None)
            diff = self.random.choice([1, 1, -1])
            self.store.append(time, FEED, (row, diff))
            after = row if diff > 0 else None
            if after is not None:
                self.live[key] = after
            if before != after:
                gone = [] if before is None else [(before, -1)]
                come = [] if after is None else [(after, 1)]
                self.store.append(time, TABLE, *gone, *come)
        if self.random.random() < 0.5:
            row = (self.random.randint(0, 6), self.random.choice(["a", "b", None]))
            if self.others and self.random.random() < 0.4:
                gone_row = self.others.pop(self.random.randrange(len(self.others)))
                self.store.append(time, OTHER, (gone_row, -1))
            else:
                self.others.append(row)
                self.store.append(time, OTHER, (row, 1))
        self.store.upper = time + 1

    def views(self, shape: int) -> tuple[CreateDataflow, CreateDataflow]:
        """Of the feed and of the table."""
        query, since = SHAPES[shape], self.since[shape]
        return (
            description(of("f", query), OF_FEED + shape, since),
            description(of("a", query), OF_TABLE + shape, since),
        )

    def create(self, shape: int) -> None:
        self.since[shape] = max(1, self.store.upper - 1 - self.random.choice([0, 0, 1, 3]))
        self.bench.send(*self.views(shape))
        self.bench.send(schedule(OF_FEED + shape), schedule(OF_TABLE + shape))

    def drop(self, shape: int) -> None:
        del self.since[shape]
        self.bench.send(compact(OF_FEED + shape, None), compact(OF_TABLE + shape, None))

    def restart(self) -> None:
        """The process begins anew, or its connection alone."""
        if self.random.random() < 0.5:
            self.bench.disconnect()
        else:
            fuel, self.bench = self.bench.fuel, Bench(self.store)
            self.bench.fuel = fuel
        made = [view for shape in sorted(self.since) for view in self.views(shape)]
        self.bench.connect(
            *made,
            *(schedule(int(view.dataflow.exports[0].collection)) for view in made),
        )

    def check(self) -> None:
        self.bench.run()
        compared = 0
        for shape, since in self.since.items():
            feeds, tables = self.trace(OF_FEED + shape), self.trace(OF_TABLE + shape)
            for time in range(since, self.store.upper):
                one, other = rows_at(feeds.snapshot(time)), rows_at(tables.snapshot(time))
                assert one == other, f"{SHAPES[shape]} at {time}"
                compared += sum(one.values())
        assert compared or not self.live, "nothing was compared"

    def trace(self, view: int) -> Trace:
        found = self.bench.worker._held.installed.find(CollectionId(view))
        assert found is not None, view
        assert found.failure is None, found.failure
        assert found.trace.upper == Frontier(self.store.upper)
        return found.trace


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_each_view_of_a_feed_is_that_of_a_table_with_its_content(seed: int) -> None:
    """Views come and go, ticks come one by one and several at once, and sessions are cut."""
    twins = Twins(seed)
    random = twins.random
    for _ in range(30):
        step = random.choice(["tick", "tick", "tick", "push", "run", "create", "create", "drop"])
        left = [shape for shape in range(len(SHAPES)) if shape not in twins.since]
        if step == "tick":
            twins.tick()
        elif step == "push":
            twins.bench.push()
        elif step == "run":
            twins.bench.run()
        elif step == "create" and len(twins.since) < VIEWS_MAX:
            for shape in random.sample(left, 3):
                twins.create(shape)
        elif step == "drop" and twins.since:
            twins.drop(random.choice(sorted(twins.since)))
        if random.random() < 0.05:
            twins.restart()
    left = [shape for shape in range(len(SHAPES)) if shape not in twins.since]
    for shape in left[:1]:
        twins.create(shape)
    twins.check()


def test_every_shape_from_the_beginning() -> None:
    twins = Twins(1)
    for shape in range(len(SHAPES)):
        twins.create(shape)
    for number in range(12):
        twins.tick()
        if number % 3 == 2:
            twins.bench.run()
    twins.check()
    content = twins.store.content(FEED, twins.store.upper - 1)
    assert content == twins.store.content(TABLE, twins.store.upper - 1) == Counter(
        twins.live.values()
    )  # fmt: skip

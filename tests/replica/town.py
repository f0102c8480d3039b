"""Views of two tables and a feed on one worker, and what DuckDB says of each at each time.

The queries are all kinds of joins, over the same few collections: what they look up is shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import duckdb
import pyarrow as pa

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.statement import Subscribe
from antiphon.protocol.command import CreateDataflow
from antiphon.protocol.dataflow import DataflowDescription, Export, IndexExport
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.world import World, plan_one
from tests.replica.bench import Bench, Store, compact, schedule
from tests.replica.scripted import FEED, TABLE, Row

OTHER = CollectionId(3)
NAMES = {TABLE: "a", FEED: "f", OTHER: "b"}
TABLES = """
CREATE TABLE a (k bigint, v text); CREATE FEED f (k bigint PRIMARY KEY, v text);
CREATE TABLE b (k bigint, v text);
CREATE VIEW grouped AS SELECT v, count(*) AS n, max(k) AS k FROM a GROUP BY v;
CREATE INDEX by_v ON grouped (v);
"""
GROUPED = "SELECT v, count(*) AS n, max(k) AS k FROM a GROUP BY v"

QUERIES = (
    "SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k",
    "SELECT b.v, count(*) AS n FROM b JOIN a ON a.k = b.k GROUP BY b.v",
    "SELECT a.k FROM a JOIN f ON a.k = f.k WHERE f.v <> 'a'",
    "SELECT a.v, f.v AS w, b.k FROM a JOIN f ON a.k = f.k JOIN b ON b.v = f.v",
    "SELECT x.k, y.k AS l FROM a x JOIN a y ON x.v = y.v",
    "SELECT x.k, y.v AS l FROM a x JOIN a y ON x.k = y.k",
    "SELECT a.k, a.v, b.v AS w FROM a LEFT JOIN b ON a.k = b.k",
    "SELECT a.k, b.k AS l, b.v FROM a FULL JOIN b ON a.v = b.v",
    "SELECT a.k, b.v FROM a LEFT JOIN b ON a.k = b.k AND a.v < b.v",
    "SELECT a.k, a.v, b.v AS w FROM b RIGHT JOIN a ON a.k = b.k AND a.v = b.v",
    "SELECT f.k, f.v, a.v AS w FROM f LEFT JOIN a ON a.k = f.k LEFT JOIN b ON b.k = f.k",
    "SELECT x.k, y.k AS l FROM a x LEFT JOIN a y ON x.v = y.v",
    "SELECT a.k FROM a LEFT JOIN b ON a.k = b.k UNION SELECT b.k FROM b LEFT JOIN a ON a.v = b.v",
    "SELECT b.k, g.n FROM b LEFT JOIN grouped g ON g.v = b.v",
    "SELECT k, v FROM a WHERE NOT EXISTS (SELECT 1 FROM f WHERE f.k = a.k)",
    "SELECT k, v FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.k = b.k)",
    "SELECT k, v FROM b WHERE k NOT IN (SELECT k FROM f WHERE v = 'a')",
    "SELECT k, v FROM a WHERE v IN (SELECT v FROM b)",
    "SELECT a.k, b.k AS l FROM a JOIN b ON a.k = b.k AND a.v = b.v",
    "SELECT a.k, b.k AS l FROM a JOIN b ON a.v = b.v AND b.k = a.k",
    "SELECT count(*) AS n FROM a, b",
    "SELECT a.k, b.v FROM a, b WHERE a.k < b.k",
    "SELECT a.k, b.v FROM a JOIN b ON a.v IS NOT DISTINCT FROM b.v",
    "SELECT a.k FROM a JOIN b ON a.k = b.k UNION ALL SELECT f.k FROM f JOIN b ON f.k = b.k",
    "SELECT g.n, g.k, b.k AS l FROM grouped g JOIN b ON g.v = b.v",
    "SELECT g.n, b.v FROM b JOIN grouped g ON g.k = b.k",
    "SELECT g.v, h.n FROM grouped g JOIN grouped h ON g.n = h.k",
    "SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k WHERE a.v = 'a'",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE 'a' = a.v AND b.v <> 'b'",
    "SELECT a.k, b.v FROM b JOIN a ON a.k = b.k WHERE b.v IS NOT NULL AND a.k > 1 AND a.v = 'a'",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE a.k > 1 UNION ALL "
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE a.k < 3",
    "SELECT a.k, a.v, b.v AS w FROM (SELECT * FROM a WHERE v = 'a') a LEFT JOIN b ON a.k = b.k",
    "SELECT a.k, b.k AS l, b.v FROM (SELECT * FROM a WHERE v = 'a') a FULL JOIN b ON a.v = b.v",
    "SELECT f.k, f.v, a.v AS w FROM f LEFT JOIN a ON a.k = f.k AND a.v = 'a' WHERE f.k < 3",
    "SELECT x.k, y.k AS l FROM a x JOIN a y ON x.v = y.v WHERE x.k > 1 AND y.k > 1",
    "SELECT x.k, y.k AS l FROM a x LEFT JOIN a y ON x.v = y.v AND y.k > 1 WHERE x.k > 1",
    "SELECT k, v FROM a WHERE v = 'a' AND NOT EXISTS (SELECT 1 FROM f WHERE f.k = a.k AND v > 'a')",
    "SELECT k, v FROM b WHERE k > 1 AND k NOT IN (SELECT k FROM f WHERE v = 'a')",
    "SELECT k, v FROM b WHERE k > 1 AND EXISTS (SELECT 1 FROM a WHERE a.k = b.k AND a.v = 'a')",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE a.k = 2 AND 6 / b.k = 3",
    "SELECT g.n, b.v FROM b JOIN grouped g ON g.k = b.k WHERE g.n > 1 AND b.v <> 'a'",
    "SELECT g.n, b.v FROM b JOIN grouped g ON g.v = b.v WHERE g.n > 1",
    "SELECT k, count(*) AS n FROM a GROUP BY k",
    "SELECT k, v FROM a",
    "SELECT k, v FROM f",
    "SELECT v, n, k FROM grouped",
)  # fmt: skip


def made_catalog() -> Catalog:
    world = World()
    world.run(TABLES)
    return world.catalog


CATALOG = made_catalog()
GROUPED_INDEX = CATALOG.find("by_v")
assert GROUPED_INDEX is not None
GROUPED_ID = GROUPED_INDEX.id


def description(query: str, collection: int, as_of: int) -> CreateDataflow:
    statement = plan_one(f"SUBSCRIBE TO ({query})", CATALOG)
    assert isinstance(statement, Subscribe)
    planned = statement.dataflow
    return CreateDataflow(
        dataflow=DataflowDescription(
            name=query,
            imports=planned.imports,
            plan=planned.plan,
            exports=(
                Export(collection=CollectionId(collection), kind=IndexExport(key_columns=(0,))),
            ),
            as_of=Frontier(as_of),
            schema=planned.schema,
        )
    )


def rows_at(zset: Zset) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for row, diff in zip(zip(*(c.to_pylist() for c in zset.columns), strict=True), zset.diffs,
                         strict=True):  # fmt: skip
        found[row] += int(diff)
    return found


class Oracle:
    """What DuckDB says at a time; each query once a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._duck = duckdb.connect()
        self._duck.execute("SET threads = 1")
        for name in NAMES.values():
            self._duck.execute(f"CREATE TABLE {name} (k bigint, v text)")
        self._duck.execute(f"CREATE VIEW grouped AS {GROUPED}")
        self._known: dict[tuple[str, int], Counter[Row]] = {}
        self._loaded: int | None = None

    def at(self, query: str, time: int) -> Counter[Row]:
        known = self._known.get((query, time))
        if known is None:
            self._load(time)
            known = Counter(self._duck.execute(query).fetchall())
            self._known[query, time] = known
        return known

    def _load(self, time: int) -> None:
        if self._loaded == time:
            return
        self._loaded = time
        for collection, name in NAMES.items():
            self._duck.execute(f"DELETE FROM {name}")
            content = list(self._store.content(collection, time).elements())
            columns = [pa.array([row[i] for row in content], kind) for i, kind in enumerate(
                (pa.int64(), pa.string()))]  # fmt: skip
            self._duck.register("incoming", pa.table(columns, names=["k", "v"]))
            self._duck.execute(f"INSERT INTO {name} SELECT * FROM incoming")


class Town:
    """One worker, the views on it, and what they should hold."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.store = Store(upper=1)
        self.store.changes[OTHER] = []
        self.present: dict[CollectionId, list[Row]] = {name: [] for name in NAMES}
        self.bench = Bench(self.store)
        self.bench.fuel = self.random.choice([3, 20, 1_000])
        self.oracle = Oracle(self.store)
        self.views: dict[int, tuple[str, CreateDataflow]] = {}
        self.scheduled: set[int] = set()
        self.last = 100
        for _ in range(4):
            self.tick(push=False)
        grouped = description(GROUPED, GROUPED_ID, self.store.upper - 1)
        self.views[GROUPED_ID] = (GROUPED, grouped)
        self.bench.connect(grouped, schedule(GROUPED_ID))
        self.scheduled.add(GROUPED_ID)
        self.bench.run()

    def tick(self, *, push: bool = True) -> None:
        """Some rows come, change and go; the times in between are skipped."""
        time = self.store.upper + self.random.randrange(2)
        for collection in self.random.sample(sorted(NAMES), self.random.randint(1, 3)):
            changed: dict[object, tuple[Row, int]] = {}
            for _ in range(self.random.randint(1, 4)):
                row: Row = (
                    self.random.choice([0, 1, 2, 3, 4, *([None] if collection != FEED else [])]),
                    self.random.choice(["a", "b", "c", None]),
                )
                if collection == FEED:
                    changed[row[0]] = (row, self.random.choice([1, 1, -1]))
                elif self.present[collection] and self.random.random() < 0.45:
                    gone = self.present[collection].pop(
                        self.random.randrange(len(self.present[collection]))
                    )
                    self.store.append(time, collection, (gone, -1))
                else:
                    self.present[collection].append(row)
                    self.store.append(time, collection, (row, 1))
            for row, diff in changed.values():
                self.store.append(time, collection, (row, diff))
        self.store.upper = time + 1
        if push:
            self.bench.push()

    def create(self, query: str | None = None, *, late: bool = False) -> int:
        query = query or self.random.choice(QUERIES)
        floor = self.views[GROUPED_ID][1].dataflow.as_of.time
        assert floor is not None
        as_of = max(floor, self.store.upper - 1 - self.random.choice([0, 0, 1, 3]))
        self.last += 1
        created = description(query, self.last, as_of)
        self.views[self.last] = (query, created)
        self.bench.send(created)
        if not late:
            self.schedule(self.last)
        return self.last

    def schedule(self, view: int) -> None:
        self.scheduled.add(view)
        self.bench.send(schedule(view))

    def drop(self, view: int) -> None:
        del self.views[view]
        self.scheduled.discard(view)
        self.bench.send(compact(view, None))

    def reconnect(self) -> None:
        """The full set again; some of it may be replaced, because it starts elsewhere."""
        self.bench.disconnect()
        self.bench.connect(
            *(created for _, created in self.views.values()),
            *(schedule(view) for view in sorted(self.scheduled)),
        )

    def check(self, views: Sequence[int] | None = None) -> None:
        """Each view that was scheduled, at each time from its as_of on."""
        self.bench.release()
        self.bench.run()
        for view in sorted(self.scheduled) if views is None else views:
            query, created = self.views[view]
            found = self.bench.worker._held.installed.find(CollectionId(view))
            assert found is not None, query
            assert found.failure is None, query
            assert found.trace.upper == Frontier(self.store.upper), query
            start = created.dataflow.as_of.time
            assert start is not None
            for time in range(start, self.store.upper):
                ours = rows_at(found.trace.snapshot(time))
                theirs = self.oracle.at(query, time)
                assert ours == theirs, f"{query} at {time}"
                key = self.random.choice([row[0] for row in theirs] or [None])
                wanted = pa.array([key], arrow_schema(found.schema)[0].type)
                seen = rows_at(found.trace.lookup((wanted,), time))
                assert seen == Counter({r: n for r, n in theirs.items() if r[0] == key}), query

    @property
    def arranged(self) -> list[tuple[CollectionId, tuple[int, ...], int]]:
        """(collection, key, readers) of all that is shared."""
        return [
            (collection, each.arrangement.key, len(each.readings))
            for collection, each in self.bench.worker._held.arranged
        ]

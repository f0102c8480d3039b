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
from antiphon.protocol.ids import CollectionId, PeekId
from antiphon.protocol.response import RebuildCompleted
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.world import World, plan_one
from tests.replica.bench import Bench, compact, counted, schedule
from tests.replica.rebuilding.test_rebuild import accept, results, start
from tests.replica.scripted import FEED, TABLE, Row, peek_id, read_index
from tests.replica.stored import Store

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


TIMES_MAX = 40  # at which views are looked at


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
            clock = f"to_timestamp({time // 1000})"  # whole seconds
            known = Counter(self._duck.execute(query.replace("now()", clock)).fetchall())
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

    def __init__(self, seed: int, queries: Sequence[str] = QUERIES, *, pause_ms: int = 1) -> None:
        """`pause_ms`: the longest between ticks."""
        self.random = Random(seed)
        self.queries = queries
        self.pause_ms = pause_ms
        self.store = Store(upper=1)
        self.store.changes[OTHER] = []
        self.present: dict[CollectionId, list[Row]] = {name: [] for name in NAMES}
        self.bench = Bench(self.store)
        self.bench.fuel = self.random.choice([3, 20, 1_000])
        self.oracle = Oracle(self.store)
        self.views: dict[int, tuple[str, CreateDataflow]] = {}
        self.scheduled: set[int] = set()
        self.since: dict[int, int] = {}  # of each view: it is read from there on
        self.asked: dict[PeekId, tuple[int, int]] = {}  # (view, time) of reads that wait
        self.rebuilding: tuple[int, ...] = ()  # views of the session that was asked for last
        self.sessions = self.reads = 0
        self.last = 100
        for _ in range(4):
            self.tick(push=False)
        grouped = description(GROUPED, GROUPED_ID, self.store.upper - 1)
        self.views[GROUPED_ID] = (GROUPED, grouped)
        self.since[GROUPED_ID] = self.store.upper - 1
        self.bench.connect(grouped, schedule(GROUPED_ID))
        self.scheduled.add(GROUPED_ID)
        self.bench.run()

    def tick(self, *, push: bool = True) -> None:
        """Some rows come, change and go; the times in between are skipped."""
        time = self.store.upper + self.random.randint(0, self.pause_ms)
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
        if query is None:  # every other is one that there is already
            known = [known for known, _ in self.views.values()]
            query = self.random.choice(self.random.choice([known, self.queries]))
        as_of = max(self.since[GROUPED_ID], self.store.upper - 1 - self.random.choice([0, 0, 1, 3]))
        self.last += 1
        created = description(query, self.last, as_of)
        self.views[self.last] = (query, created)
        self.since[self.last] = as_of
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

    def forget(self, view: int) -> None:
        """Nobody reads it before some time any more; reads that wait go on to."""
        since = self.random.randrange(self.since[view], self.store.upper)
        self.since[view] = since
        self.bench.send(compact(view, since))

    def read(self, view: int) -> None:
        """At a time that is held, or is yet to come."""
        time = self.random.randrange(self.since[view], self.store.upper + 2)
        self.reads += 1
        schema = self.views[view][1].dataflow.schema
        self.asked[peek_id(self.reads)] = (view, time)
        self.bench.send(read_index(self.reads, view, time, schema=schema))

    def rebuild(self) -> None:
        """Some views beside those in force, or all: who reads another view is rebuilt with it."""
        some = [view for view in sorted(self.scheduled) if self.random.random() < 0.5]
        whole = self.random.random() < 0.5 or GROUPED_ID in some
        self.rebuilding = tuple(sorted(self.scheduled) if whole else some)
        self.sessions += 1
        last = self.store.upper - 1
        if self.rebuilding:
            self.bench.send(start(self.sessions, *self.rebuilding, base=last - 1, target=last))

    def accept(self) -> bool:
        """What is rebuilt takes effect, if it is completed; of one that failed nothing is left."""
        ended = {session: isinstance(result, RebuildCompleted)
                 for session, result in results(self.bench)}  # fmt: skip
        if not ended.get(self.sessions, False):
            self.rebuilding = () if self.sessions in ended else self.rebuilding
            return False
        before = {view: self.trace(view) for view in self.rebuilding if view in self.views}
        self.bench.send(accept(self.sessions))
        for view, trace in before.items():
            found = self.trace(view)
            if found is not trace:
                assert found.since.time is not None
                assert found.since.time < self.store.upper, "it begins where it is complete"
                self.since[view] = max(self.since[view], found.since.time)
        self.rebuilding = ()
        return True

    def trace(self, view: int) -> Trace:
        found = self.bench.worker._held.installed.find(CollectionId(view))
        assert found is not None, self.views[view][0]
        assert found.failure is None, self.views[view][0]
        return found.trace

    def reconnect(self) -> None:
        """The full set again, each from where it is read; some of it may be replaced, because it
        starts elsewhere. Reads are of a connection."""
        self.check_reads()
        self.asked = {peek: asked for peek, asked in self.asked.items()
                      if peek in self.bench.answers()}  # fmt: skip
        self.bench.disconnect()
        self._connect()

    def _connect(self) -> None:
        for view, (query, _) in self.views.items():
            self.views[view] = (query, description(query, view, self.since[view]))
        self.rebuilding = ()
        self.bench.connect(
            *(created for _, created in self.views.values()),
            *(schedule(view) for view in sorted(self.scheduled)),
        )

    def restart(self) -> None:
        """The replica's process begins anew: it has nothing, and is told the full set."""
        self.check_reads()
        fuel = self.bench.fuel
        self.bench, self.asked = Bench(self.store), {}
        self.bench.fuel = fuel
        self._connect()

    def check_reads(self) -> int:
        """Each answer so far; how many those are."""
        answers = self.bench.answers()
        for peek, (view, time) in self.asked.items():
            if peek in answers and view in self.views:
                query, created = self.views[view]
                seen = counted(answers[peek], created.dataflow.schema)
                assert seen == self.oracle.at(query, time), f"a read of {query} at {time}"
        return len(answers)

    def check(self, views: Sequence[int] | None = None) -> None:
        """Each view that was scheduled, at times at which it is read, all of them if they are
        few; and all reads."""
        self.bench.release()
        self.bench.run()
        self.check_reads()
        sample: Sequence[int] = range(
            min(self.since[view] for view in self.scheduled), self.store.upper
        )
        if len(sample) > TIMES_MAX:
            sample = self.random.sample(sample, TIMES_MAX)
        for view in sorted(self.scheduled) if views is None else views:
            query, _ = self.views[view]
            found = self.trace(view)
            assert found.upper == Frontier(self.store.upper), query
            since, last = self.since[view], self.store.upper - 1
            times = sorted({since, *(time for time in sample if time > since), last})
            for time in times:
                ours = rows_at(found.snapshot(time))
                theirs = self.oracle.at(query, time)
                assert ours == theirs, f"{query} at {time}"
                key = self.random.choice([row[0] for row in theirs] or [None])
                wanted = pa.array([key], arrow_schema(found.schema)[0].type)
                seen = rows_at(found.lookup((wanted,), time))
                assert seen == Counter({r: n for r, n in theirs.items() if r[0] == key}), query

    @property
    def arranged(self) -> list[tuple[CollectionId, tuple[int, ...], int]]:
        """(collection, key, readers) of all that is shared."""
        return [
            (collection, each.arrangement.key, len(each.readings))
            for collection, each in self.bench.worker._held.arranged
        ]

"""Writers, readers and subscribers that run while something terrible happens, and add it up."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable

import pyarrow as pa

from antiphon.client import Client
from tests.end_to_end.looping import Loop
from tests.end_to_end.system import rows_on

ROWS_PER_APPEND = 20


class Writer(Loop):
    """Appends rows with rising ids, one append after the other. Ids below `acknowledged` are
    durable."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.acknowledged = 0
        self.times: list[int] = []

    def step(self) -> None:
        ids = list(range(self.acknowledged, self.acknowledged + ROWS_PER_APPEND))
        done = self.client.append("events", pa.table({"id": ids, "part": [i % 7 for i in ids]}))
        assert done.time is not None
        self.times.append(done.time)
        self.acknowledged += ROWS_PER_APPEND
        time.sleep(0.005)

    def write(self, count: int) -> None:
        """Waits for so many rows more."""
        goal = self.acknowledged + count
        self.until(lambda: self.acknowledged > goal, f"{count} rows are written")


class Reader(Loop):
    """Adds up a subscription until it has passed a time."""

    def __init__(self, client: Client, target: str) -> None:
        super().__init__()
        self.client = client
        self.target = target
        self.content: collections.Counter[tuple[object, ...]] = collections.Counter()
        self.frontier = 0
        self.snapshots = 0

    def run(self) -> None:
        with self.client.subscribe(self.target, with_progress=True) as self._changes:
            super().run()

    def step(self) -> None:
        batch = next(self._changes)
        if not batch.is_snapshot:
            assert batch.lower.time == self.frontier, "a gap or a repeat"
        self.snapshots += batch.is_snapshot
        for change in batch:
            self.content[change.row] += change.diff
        assert batch.upper.time is not None
        self.frontier = batch.upper.time

    def finish_at(self, time_reached: int, nudge: Callable[[], object]) -> None:
        self.until(lambda: self.frontier > time_reached, f"{self.target} is told to the end")
        self._stop.set()
        nudge()  # one more change, so that a waiting read ends
        self.finish()


class Asker(Loop):
    """Reads the whole again and again; each answer is strict: it sees what was acknowledged before
    it was asked, and nothing that was not yet sent."""

    def __init__(self, client: Client, writer: Writer) -> None:
        super().__init__()
        self.client = client
        self.writer = writer
        self.answers = 0

    def step(self) -> None:
        least = self.writer.acknowledged
        ((count, total),) = self.client.sql(
            "SELECT count(*), coalesce(sum(id), 0) FROM events"
        ).rows()
        most = self.writer.acknowledged + ROWS_PER_APPEND
        assert least <= count <= most, f"{count} rows, acknowledged were {least}"
        assert int(total) == count * (count - 1) // 2, "rows of half an append"
        self.answers += 1


def check_sums(client: Client, writer: Writer, readers: list[Reader]) -> list[tuple[int, int, int]]:
    """The table, and the two subscriptions (to `events`, to `parts`), against what was written.
    Returns the rows of `parts` as they should be."""
    expected = [(i, i % 7) for i in range(writer.acknowledged)]
    groups = collections.defaultdict(list)
    for i, part in expected:
        groups[part].append(i)
    sums = sorted((part, len(ids), sum(ids)) for part, ids in groups.items())
    assert client.sql("SELECT id, part FROM events ORDER BY id").rows() == expected
    events, parts = ({row: n for row, n in reader.content.items() if n} for reader in readers)
    assert events == dict.fromkeys(expected, 1)
    assert sorted((p, n, int(total)) for p, n, total in parts) == sums  # type: ignore[call-overload]
    assert set(parts.values()) == {1}
    assert [reader.snapshots for reader in readers] == [1, 1]
    assert writer.times == sorted(set(writer.times)), "every append has a time of its own"
    return sums


def parts_of(client: Client, replica: str) -> list[tuple[int, int, int]]:
    found = rows_on(client, replica, "SELECT part, n, total FROM parts")
    return sorted((part, n, int(total)) for part, n, total in found)


# A subscriber whose stream breaks goes on from where it was, which must be readable still. Writers
# may be seconds faster to come back, on a busy machine; and replicas slower than a read waits.
SCHEMA = """
    ALTER SYSTEM SET retain_ms = 300000;
    ALTER SYSTEM SET peek_wait_ms = 150000;
    CREATE TABLE events (id bigint PRIMARY KEY, part bigint);
    CREATE TABLE nudges (id bigint);
    CREATE MATERIALIZED VIEW parts AS
        SELECT part, count(*) AS n, sum(id) AS total FROM events GROUP BY part;
    CREATE TABLE appointments (at timestamptz);
    CREATE MATERIALIZED VIEW ahead AS SELECT at FROM appointments WHERE at > now();
"""

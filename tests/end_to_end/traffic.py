"""Writers, readers and subscribers that run while something terrible happens, and add it up."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from antiphon.client import Client
from tests.end_to_end.system import until

ROWS_PER_APPEND = 20


@dataclass
class Writer:
    """Appends rows with rising ids, one append after the other, until told to stop."""

    client: Client
    acknowledged: int = 0  # ids below are durable
    times: list[int] = field(default_factory=list)
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                ids = list(range(self.acknowledged, self.acknowledged + ROWS_PER_APPEND))
                table = pa.table({"id": ids, "part": [i % 7 for i in ids]})
                done = self.client.append("events", table)
                assert done.time is not None
                self.times.append(done.time)
                self.acknowledged += ROWS_PER_APPEND
                time.sleep(0.005)
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(90)
        assert not self._thread.is_alive(), "the writer hangs"
        if self.error is not None:
            raise self.error


@dataclass
class Reader:
    """Adds up a subscription until it has passed a time."""

    client: Client
    target: str
    content: collections.Counter[tuple[object, ...]] = field(default_factory=collections.Counter)
    frontier: int = 0
    snapshots: int = 0
    error: BaseException | None = None
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self.client.subscribe(self.target, with_progress=True) as changes:
                for batch in changes:
                    if not batch.is_snapshot:
                        assert batch.lower.time == self.frontier, "a gap or a repeat"
                    self.snapshots += batch.is_snapshot
                    for change in batch:
                        self.content[change.row] += change.diff
                    assert batch.upper.time is not None
                    self.frontier = batch.upper.time
                    if self._stop.is_set():
                        return
        except BaseException as error:
            self.error = error

    def finish(self, time_reached: int, nudge: Callable[[], object]) -> None:
        until(
            lambda: self.frontier > time_reached or self.error is not None, 60, "the subscription"
        )
        self._stop.set()
        nudge()  # one more change, so that a waiting read ends
        assert self._thread is not None
        self._thread.join(30)
        if self.error is not None:
            raise self.error
        assert not self._thread.is_alive(), "the reader hangs"


@dataclass
class Asker:
    """Reads the whole again and again; each answer is strict: it sees what was acknowledged before
    it was asked, and nothing that was not yet sent."""

    client: Client
    writer: Writer
    answers: int = 0
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                least = self.writer.acknowledged
                ((count, total),) = self.client.sql(
                    "SELECT count(*), coalesce(sum(id), 0) FROM events"
                ).rows()
                most = self.writer.acknowledged + ROWS_PER_APPEND
                assert least <= count <= most, f"{count} rows, acknowledged were {least}"
                assert int(total) == count * (count - 1) // 2, "rows of half an append"
                self.answers += 1
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(90)
        assert not self._thread.is_alive(), "the asker hangs"
        if self.error is not None:
            raise self.error


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
    rows = client.peek("parts", replica=replica).to_pylist()
    return sorted((r["part"], r["n"], int(r["total"])) for r in rows)


SCHEMA = """
    CREATE TABLE events (id bigint PRIMARY KEY, part bigint);
    CREATE TABLE nudges (id bigint);
    CREATE MATERIALIZED VIEW parts AS
        SELECT part, count(*) AS n, sum(id) AS total FROM events GROUP BY part;
    CREATE TABLE appointments (at timestamptz);
    CREATE MATERIALIZED VIEW ahead AS SELECT at FROM appointments WHERE at > now();
"""

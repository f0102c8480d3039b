"""SIGKILL at any process while a writer and a subscriber run: nothing lost, nothing doubled."""

from __future__ import annotations

import collections
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from antiphon.client import Client
from tests.end_to_end.system import Up, is_ready, processes_of, replica_of, until

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


def run_through(up: Up, disturb: Callable[[Client], None]) -> None:
    """Writes and reads while `disturb` does its worst; then everything must add up."""
    with up.ready() as client, up.connect() as reading, up.connect() as writing:
        client.script("""
            CREATE TABLE events (id bigint PRIMARY KEY, part bigint);
            CREATE TABLE nudges (id bigint);
            CREATE MATERIALIZED VIEW parts AS
                SELECT part, count(*) AS n, sum(id) AS total FROM events GROUP BY part;
        """)
        writer = Writer(writing)
        readers = [Reader(reading, "events"), Reader(reading, "parts")]
        writer.start()
        for reader in readers:
            reader.start()
        until(lambda: writer.acknowledged > 200 or writer.error is not None, 30, "the writer")
        disturb(client)
        goal = writer.acknowledged + 400
        until(lambda: writer.acknowledged > goal or writer.error is not None, 60, up.tail())
        writer.finish()
        end = writer.times[-1]
        for reader in readers:
            reader.finish(end, lambda: client.append("nudges", [{"id": 1}]))

        expected = [(i, i % 7) for i in range(writer.acknowledged)]
        groups = collections.defaultdict(list)
        for i, part in expected:
            groups[part].append(i)
        sums = sorted((part, len(ids), sum(ids)) for part, ids in groups.items())
        assert client.sql("SELECT id, part FROM events ORDER BY id").rows() == expected
        for replica in ("r1", "r2"):
            until(lambda name=replica: is_ready(replica_of(client, name)), 60, up.tail())  # type: ignore[misc]
            rows = client.peek("parts", replica=replica).to_pylist()
            assert sorted((r["part"], r["n"], int(r["total"])) for r in rows) == sums
        events, parts = ({row: n for row, n in reader.content.items() if n} for reader in readers)
        assert events == dict.fromkeys(expected, 1)
        assert sorted((p, n, int(total)) for p, n, total in parts) == sums  # type: ignore[call-overload]
        assert set(parts.values()) == {1}
        assert [reader.snapshots for reader in readers] == [1, 1]
        assert writer.times == sorted(set(writer.times)), "every append has a time of its own"


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_killed_replica_comes_back_and_nothing_is_lost_or_doubled(up: Up, name: str) -> None:
    def kill(client: Client) -> None:
        before = replica_of(client, name)
        os.kill(before.process_id, signal.SIGKILL)
        until(lambda: replica_of(client, name).restarts > before.restarts, 30, up.tail())
        until(lambda: is_ready(replica_of(client, name)), 60, up.tail())
        assert replica_of(client, name).process_id != before.process_id

    run_through(up, kill)


def test_both_replicas_killed_at_once_only_delay_the_readers(up: Up) -> None:
    def kill(client: Client) -> None:
        for replica in client.status().replicas:
            os.kill(replica.process_id, signal.SIGKILL)
        for name in ("r1", "r2"):
            until(lambda name=name: is_ready(replica_of(client, name)), 60, up.tail())  # type: ignore[misc]

    run_through(up, kill)


def test_a_killed_controller_comes_back_and_nothing_is_lost_or_doubled(up: Up) -> None:
    def kill(_client: Client) -> None:
        up.kill()
        # Its replicas must not outlive it: they would go on for nobody.
        until(lambda: not processes_of(up.data), 10, "orphans")
        up.start()

    run_through(up, kill)


def test_a_controller_killed_again_and_again_still_loses_nothing(up: Up) -> None:
    def kill(client: Client) -> None:
        for _ in range(3):
            up.kill()
            up.start()
            client.sql("SHOW TABLES")
            time.sleep(0.5)

    run_through(up, kill)

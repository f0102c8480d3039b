"""Readers beside a replica that is killed: none fails, and none is wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field

from antiphon.client import Client
from tests.end_to_end.system import Up, is_ready, replica_of, until

LOOPS = 8
RUN_S = 2.0  # before the kill, and after it
ANSWERS_EACH = 5


@dataclass
class Loop:
    """Asks for the same total again and again; rows only come, so it never goes down, and it is
    always the sum of what one append at a time brought."""

    client: Client
    answers: int = 0
    error: BaseException | None = None
    _last: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                ((n, total),) = self.client.sql("SELECT n, total FROM sums").rows()
                assert int(total) == int(n) * (int(n) - 1) // 2, "a state that never was"
                assert int(n) >= self._last, "time went back"
                self._last = int(n)
                self.answers += 1
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive(), "a reader hangs"
        if self.error is not None:
            raise self.error


def test_a_killed_replica_costs_no_reader_anything(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            CREATE TABLE numbers (k bigint PRIMARY KEY);
            INSERT INTO numbers VALUES (0);
            CREATE VIEW sums AS SELECT count(*) AS n, sum(k) AS total FROM numbers;
            CREATE INDEX sums_by_n ON sums (n);
        """)
        until(lambda: all(is_ready(r) for r in client.status().replicas), 60, up.tail())
        loops = [Loop(up.connect()) for _ in range(LOOPS)]
        for loop in loops:
            loop.start()
        written = 1

        def write_until_answered() -> None:
            """A while, and until every reader has had some answers."""
            nonlocal written
            wanted = [loop.answers + ANSWERS_EACH for loop in loops]
            ends_s = time.monotonic() + RUN_S

            def done() -> bool:
                nonlocal written
                client.append("numbers", [{"k": written}])
                written += 1
                reached = zip(loops, wanted, strict=True)
                failed = any(loop.error is not None for loop in loops)
                all_answered = all(loop.answers >= count for loop, count in reached)
                return failed or (all_answered and time.monotonic() >= ends_s)

            until(done, 60, up.tail())

        write_until_answered()
        victim = replica_of(client, "r1")
        os.kill(victim.process_id, signal.SIGKILL)
        write_until_answered()
        for loop in loops:
            loop.finish()
            loop.client.close()
        assert client.sql("SELECT n FROM sums").rows() == [(written,)]
        until(lambda: replica_of(client, "r1").restarts > victim.restarts, 30, up.tail())

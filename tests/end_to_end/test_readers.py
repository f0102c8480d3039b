"""Readers beside a replica that is killed: none fails, and none is wrong."""

from __future__ import annotations

import time

from antiphon.client import Client
from tests.end_to_end.looping import Loop
from tests.end_to_end.system import Up, is_ready, kill_replica, until

READERS = 8
RUN_S = 2.0  # before the kill, and after it
ANSWERS_EACH = 5


class Reader(Loop):
    """Asks for the same total again and again; rows only come, so it never goes down, and it is
    always the sum of what one append at a time brought."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.answers = 0
        self._last = 0

    def step(self) -> None:
        ((n, total),) = self.client.sql("SELECT n, total FROM sums").rows()
        assert int(total) == int(n) * (int(n) - 1) // 2, "a state that never was"
        assert int(n) >= self._last, "time went back"
        self._last = int(n)
        self.answers += 1


def test_a_killed_replica_costs_no_reader_anything(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            CREATE TABLE numbers (k bigint PRIMARY KEY);
            INSERT INTO numbers VALUES (0);
            CREATE VIEW sums AS SELECT count(*) AS n, sum(k) AS total FROM numbers;
            CREATE INDEX sums_by_n ON sums (n);
        """)
        until(lambda: all(is_ready(r) for r in client.status().replicas), "the index is filled")
        readers = [Reader(up.connect()) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        written = 1

        def write_until_answered() -> None:
            """A while, and until every reader has had some answers."""
            wanted = [reader.answers + ANSWERS_EACH for reader in readers]
            ends_s = time.monotonic() + RUN_S

            def done() -> bool:
                nonlocal written
                client.append("numbers", [{"k": written}])
                written += 1
                for reader in readers:
                    reader.check()
                reached = zip(readers, wanted, strict=True)
                all_answered = all(reader.answers >= count for reader, count in reached)
                return all_answered and time.monotonic() >= ends_s

            until(done, "every reader has answers")

        write_until_answered()
        is_back = kill_replica(client, "r1")
        write_until_answered()
        for reader in readers:
            reader.finish()
            reader.client.close()
        assert client.sql("SELECT n FROM sums").rows() == [(written,)]
        until(is_back, "r1 is back")

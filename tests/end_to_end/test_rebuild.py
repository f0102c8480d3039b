"""A replica that is killed is rebuilt from the other one while writes go on, and is equal to it."""

from __future__ import annotations

import os
import signal
import threading

from antiphon.client import Client
from tests.end_to_end.system import Up, cli, is_ready, replica_of, until

KEYS = 500


class Writer:
    """Inserts and upserts, one after the other, and knows what that comes to."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.count = 0
        self.latest: dict[int, int] = {}
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                key = self.count * 7 % KEYS
                self.client.append("sums", [{"k": self.count, "v": self.count % 10}])
                self.client.append("prices", [{"k": key, "v": self.count}])
                self.latest[key] = self.count
                self.count += 1
        except BaseException as error:
            self.error = error


def test_a_killed_replica_is_rebuilt_from_the_other_one_while_writes_go_on(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            ALTER SYSTEM SET rebuild_from_peers = 2;
            CREATE TABLE sums (k bigint PRIMARY KEY, v bigint);
            CREATE FEED prices (k bigint PRIMARY KEY, v bigint);
            CREATE INDEX sums_by_k ON sums (k);
            CREATE MATERIALIZED VIEW totals AS
                SELECT s.v, count(*) AS n, sum(p.v) AS total
                FROM sums s JOIN prices p ON s.k = p.k GROUP BY s.v;
        """)
        client.append("sums", [{"k": -k, "v": k % 10} for k in range(1, 2_000)])
        until(lambda: all(is_ready(r) for r in client.status().replicas), 60, up.tail())
        with Writer(up.connect()) as writer:
            until(lambda: writer.count > 20, 60, up.tail())
            before = replica_of(client, "r2")
            os.kill(before.process_id, signal.SIGKILL)

            def is_rebuilt() -> bool:
                now = replica_of(client, "r2")
                return now.restarts > before.restarts and now.accepted and is_ready(now)

            until(is_rebuilt, 60, up.tail())
            reached = writer.count
            until(lambda: writer.count > reached + 10, 60, up.tail())
        assert writer.error is None, writer.error
        # A busy machine may have it connect more than once.
        rebuilt = [
            decision
            for decision in client.explain_replica("r2")
            if decision.base.startswith("base from r1") and decision.outcome == "completed"
        ]
        assert rebuilt, client.explain_replica("r2")
        base = "base from r1 because it is up to date and holds all 2 inputs"
        assert rebuilt[0].base.startswith(base)
        assert rebuilt[0].content.endswith("is that of r1")
        lines = cli("explain", "replica", "r2", "-a", up.address).stdout.splitlines()
        assert any(base in line and "completed" in line for line in lines)
        bases = client.sql(
            "SELECT base FROM antiphon.decisions WHERE replica = 'r2' AND outcome = 'completed'"
        ).rows()
        assert (rebuilt[0].base,) in bases
        wanted: dict[int, list[int]] = {}
        for key, value in writer.latest.items():
            if key < writer.count:
                wanted.setdefault(key % 10, []).append(value)
        for name in ("r1", "r2"):
            found = client.sql("SELECT v, n, total FROM totals", replica=name).rows()
            assert {row[0]: (row[1], int(row[2])) for row in found} == {
                v: (len(values), sum(values)) for v, values in wanted.items()
            }, name

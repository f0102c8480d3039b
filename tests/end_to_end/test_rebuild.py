"""A replica that is killed is rebuilt from the other one while writes go on, and is equal to it,
also if the other one is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
import time

import pyarrow as pa

from antiphon.client import Client
from antiphon.v1 import control_pb2 as wire
from tests.end_to_end.system import Up, cli, is_ready, replica_of, until

KEYS = 500
LARGE_ROWS = 400_000  # of a feed: some tenths of a second to read
ATTEMPTS = 6  # to kill the one who gives before it has given everything


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


def test_the_one_who_gives_is_killed_and_another_source_is_taken(up: Up) -> None:
    """The store; and the one who gave is rebuilt itself."""
    with up.ready() as client:
        client.script("""
            ALTER SYSTEM SET rebuild_from_peers = 2;
            CREATE TABLE sums (k bigint PRIMARY KEY, v bigint);
            CREATE FEED prices (k bigint PRIMARY KEY, v bigint);
            CREATE MATERIALIZED VIEW by_digit AS
                SELECT v % 10 AS d, count(*) AS n FROM prices GROUP BY v % 10;
            CREATE INDEX sums_by_k ON sums (k);
        """)
        keys = pa.array(range(KEYS, KEYS + LARGE_ROWS), pa.int64())
        for start in range(0, LARGE_ROWS, 50_000):
            part = keys.slice(start, 50_000)
            client.append("prices", pa.table({"k": part, "v": part}))
        with Writer(up.connect()) as writer:
            for _ in range(ATTEMPTS):
                until(lambda: all(_is_up(r) for r in client.status().replicas), 90, up.tail())
                if _kills_the_giver(client):
                    break
            else:
                raise AssertionError(f"r2 was always faster: {client.explain_replica('r2')}")
            until(lambda: all(_is_up(r) for r in client.status().replicas), 90, up.tail())
            reached = writer.count
            until(lambda: writer.count > reached + 10, 60, up.tail())
        assert writer.error is None, writer.error
        told = client.sql("SELECT base FROM antiphon.decisions WHERE replica = 'r2'").rows()
        assert any(_changed_source(row[0]) for row in told), told
        wanted = {d: LARGE_ROWS // 10 for d in range(10)}
        for value in writer.latest.values():
            wanted[value % 10] += 1
        for name in ("r1", "r2"):
            found = client.sql("SELECT d, n FROM by_digit", replica=name).rows()
            assert dict(found) == wanted, name
            assert client.sql("SELECT count(*) FROM sums", replica=name).rows() == [(writer.count,)]


def _is_up(replica: wire.ReplicaInfo) -> bool:
    return replica.accepted and is_ready(replica)


def _kills_the_giver(client: Client) -> bool:
    """r2 is killed, and r1 while r2 reads its base there. False: r2 was faster."""
    before = {name: replica_of(client, name) for name in ("r1", "r2")}
    os.kill(before["r2"].process_id, signal.SIGKILL)
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        now = replica_of(client, "r2")
        if now.restarts > before["r2"].restarts and now.base.startswith("base from r1"):
            os.kill(before["r1"].process_id, signal.SIGKILL)
            break
        time.sleep(0.005)
    until(lambda: replica_of(client, "r1").restarts > before["r1"].restarts, 60, "r1 comes back")
    until(lambda: _is_up(replica_of(client, "r2")), 90, "r2 comes back")
    return any(_changed_source(found.base) for found in client.explain_replica("r2"))


def _changed_source(base: str | None) -> bool:
    said = base or ""
    return said.startswith("base from r1 because") and (
        "; then base from the store because r1 failed: " in said
    )

"""A replica that is killed is rebuilt from the other one while writes go on, and is equal to it,
also if the other one is killed in the middle."""

from __future__ import annotations

import os
import signal
import time

import pyarrow as pa

from antiphon.client import Client
from antiphon.v1 import control_pb2 as wire
from tests.end_to_end.looping import Loop
from tests.end_to_end.system import (
    Up,
    children_of,
    cli,
    is_ready,
    kill_replica,
    replica_of,
    rows_on,
    until,
)

KEYS = 500
LARGE_ROWS = 400_000  # of a feed: some tenths of a second to read
GIVES_S = 0.02  # for how long it does
ATTEMPTS = 6  # r2 may be given its base by the store, if r1 is out of reach for a moment


class Writer(Loop):
    """Inserts and upserts, one after the other, and knows what that comes to."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.count = 0
        self.latest: dict[int, int] = {}

    def step(self) -> None:
        key = self.count * 7 % KEYS
        self.client.append("sums", [{"k": self.count, "v": self.count % 10}])
        self.client.append("prices", [{"k": key, "v": self.count}])
        self.latest[key] = self.count
        self.count += 1

    def write(self, count: int) -> None:
        """Waits for so many rows more."""
        goal = self.count + count
        self.until(lambda: self.count > goal, f"{count} rows are written")


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
        until(lambda: all(map(_is_up, client.status().replicas)), "the views are filled")
        with Writer(up.connect()) as writer:
            writer.write(20)
            until(kill_replica(client, "r2"), "r2 is rebuilt")
            writer.write(10)
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
            found = rows_on(client, name, "SELECT v, n, total FROM totals")
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
                until(lambda: all(map(_is_up, client.status().replicas)), "both are up to date")
                if _kills_the_giver(client):
                    break
            else:
                raise AssertionError(f"no base was begun at r1: {client.explain_replica('r2')}")
            until(lambda: all(map(_is_up, client.status().replicas)), "both are up to date again")
            writer.write(10)
        told = client.sql("SELECT base FROM antiphon.decisions WHERE replica = 'r2'").rows()
        assert any(_changed_source(row[0]) for row in told), told
        wanted = {d: LARGE_ROWS // 10 for d in range(10)}
        for value in writer.latest.values():
            wanted[value % 10] += 1
        for name in ("r1", "r2"):
            assert dict(rows_on(client, name, "SELECT d, n FROM by_digit")) == wanted, name
            assert rows_on(client, name, "SELECT count(*) FROM sums") == [(writer.count,)]


def _is_up(replica: wire.ReplicaInfo) -> bool:
    return replica.accepted and is_ready(replica)


def _kills_the_giver(client: Client) -> bool:
    """r2 is killed, and r1 while r2 reads its base there. False: it did not."""
    killed, giver = replica_of(client, "r2").process_id, replica_of(client, "r1").process_id
    (worker,) = children_of(giver)
    is_back = kill_replica(client, "r2")
    until(lambda: replica_of(client, "r2").process_id not in (0, killed), "r2 is started again")
    # It has yet to connect. The one who gives is frozen meanwhile: it cannot be too fast.
    os.kill(worker, signal.SIGSTOP)
    until(lambda: bool(replica_of(client, "r2").base), "r2 is told where to take its base")
    os.kill(worker, signal.SIGCONT)
    time.sleep(GIVES_S)
    is_r1_back = kill_replica(client, "r1")
    until(is_r1_back, "r1 is back")
    until(is_back, "r2 is back")
    return any(_changed_source(found.base) for found in client.explain_replica("r2"))


def _changed_source(base: str | None) -> bool:
    said = base or ""
    return said.startswith("base from r1 because") and (
        "; then base from the store because r1 failed: " in said
    )

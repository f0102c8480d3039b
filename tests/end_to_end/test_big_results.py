"""Large answers: at their reader's pace, within bounds, and freed when he goes or stops."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from antiphon.client import Client
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.limits import MIB
from antiphon.v1 import control_pb2 as wire
from antiphon.v1.control_pb2_grpc import ControlStub
from tests.end_to_end.system import Up, is_ready, replica_of, until

ROWS = 150_000
TEXT = "x" * 250
ANSWER_BYTES = ROWS * (len(TEXT) + 12)
READERS = 4  # together they ask for more than a controller may grow, and less than the stash holds
SILENCE_S = 6.0  # longer than a link may be silent


@pytest.fixture(scope="module")
def system() -> Iterator[tuple[Up, Client]]:
    """One for all: the last test stops it."""
    with (
        tempfile.TemporaryDirectory(prefix="ap-") as directory,
        Up(Path(directory), replicas=1) as up,
        up.ready() as client,
    ):
        client.script("CREATE TABLE t (k bigint, v text); CREATE INDEX i ON t (k)")
        keys = pa.array(range(ROWS), pa.int64())
        client.append("t", pa.table({"k": keys, "v": pa.array([TEXT] * ROWS)}))
        until(lambda: is_ready(replica_of(client, "r1")), "the index is filled")
        yield up, client


def resident_bytes(process_id: int) -> int:
    pages = Path(f"/proc/{process_id}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def large(client: Client) -> int:
    return int(client.peek("t").num_rows)


def test_readers_that_stop_grow_nobody_and_hold_up_nobody(system: tuple[Up, Client]) -> None:
    up, client = system
    assert large(client) == ROWS  # what everybody needs to serve one such answer
    controller, front = up.process.pid, replica_of(client, "r1").process_id
    before = resident_bytes(controller), resident_bytes(front)
    with grpc.insecure_channel(up.address) as channel:
        stub: Any = ControlStub(channel)
        calls = [stub.Peek(wire.PeekRequest(collection="t")) for _ in range(READERS)]
        for call in calls:
            assert next(call).row_count > 0  # one chunk, and no more
        time.sleep(1.0)  # for all that would flow by itself
        grown = resident_bytes(controller) - before[0], resident_bytes(front) - before[1]
        # What it gave back before it was looked at, it may take again; all of them would be more.
        kept_bytes = (READERS - 1) * ANSWER_BYTES
        assert grown[0] < kept_bytes, "the controller keeps no answer for its readers"
        assert grown[1] < (READERS + 1) * ANSWER_BYTES + 64 * MIB, "each answer is there once"

        # Beside them everything goes on, for longer than a link may be silent.
        ends_s = time.monotonic() + SILENCE_S
        number = ROWS
        while time.monotonic() < ends_s:
            client.append("t", [{"k": number, "v": "y"}])
            assert client.sql(f"SELECT v FROM t WHERE k = {number}").rows() == [("y",)]
            number += 1
        found = replica_of(client, "r1")
        assert (found.link, found.restarts) == ("connected", 0)
        for call in calls:
            call.cancel()

    # All of it is free again: as many are read whole at once, which the stash has room for once.
    with ThreadPoolExecutor(READERS) as pool:
        assert list(pool.map(large, [client] * READERS)) == [number] * READERS


def test_limits_are_errors_with_their_names(system: tuple[Up, Client]) -> None:
    _, client = system
    for options in ({"rows_max": 10}, {"bytes_max": 1_000}):
        for ask in (client.peek, lambda name, **given: client.sql(f"TABLE {name}", **given)):
            with pytest.raises(LimitExceeded) as caught:
                ask("t", **options)
            assert caught.value.details["limit"] == next(iter(options))
    client.sql("ALTER SYSTEM SET result_bytes_max = 1000")
    with pytest.raises(LimitExceeded):
        large(client)
    client.sql("ALTER SYSTEM RESET result_bytes_max")
    assert large(client) >= ROWS


def test_a_system_with_stopped_readers_stops_in_time_and_in_order(
    system: tuple[Up, Client],
) -> None:
    up, _ = system
    with grpc.insecure_channel(up.address) as channel:
        stub: Any = ControlStub(channel)
        calls = [stub.Peek(wire.PeekRequest(collection="t")) for _ in range(READERS)]
        for call in calls:
            assert next(call).row_count > 0
        up.interrupt()
        assert up.process.returncode == 0

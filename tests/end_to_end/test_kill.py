"""SIGKILL at any process while a writer and a subscriber run: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from antiphon.client import Client
from tests.end_to_end.system import Up, is_ready, processes_of, replica_of, until
from tests.end_to_end.traffic import SCHEMA, Reader, Writer, check_sums, parts_of


def run_through(up: Up, disturb: Callable[[Client], None]) -> None:
    """Writes and reads while `disturb` does its worst; then everything must add up."""
    with up.ready() as client, up.connect() as reading, up.connect() as writing:
        client.script(SCHEMA)
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

        sums = check_sums(client, writer, readers)
        for replica in ("r1", "r2"):
            until(lambda name=replica: is_ready(replica_of(client, name)), 60, up.tail())  # type: ignore[misc]
            assert parts_of(client, replica) == sums


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

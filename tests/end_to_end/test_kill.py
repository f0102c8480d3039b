"""SIGKILL at any process while a writer and a subscriber run: nothing lost, nothing doubled."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from antiphon.client import Client
from tests.end_to_end.system import Up, all_ended, kill_replica, until
from tests.end_to_end.traffic import SCHEMA, Reader, Writer, check_sums, parts_of


def run_through(up: Up, disturb: Callable[[Client], None]) -> None:
    """Writes and reads while `disturb` does its worst; then everything must add up."""
    with up.ready() as client, up.connect() as reading, up.connect() as writing:
        client.script(SCHEMA)
        writer = Writer(writing)
        readers = [Reader(reading, "events"), Reader(reading, "parts")]
        for loop in (writer, *readers):
            loop.start()
        writer.write(200)
        disturb(client)
        writer.write(400)
        writer.finish()
        for reader in readers:
            reader.finish_at(writer.times[-1], lambda: client.append("nudges", [{"id": 1}]))
        sums = check_sums(client, writer, readers)
        for replica in ("r1", "r2"):
            assert parts_of(client, replica) == sums


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_killed_replica_comes_back_and_nothing_is_lost_or_doubled(up: Up, name: str) -> None:
    def kill(client: Client) -> None:
        until(kill_replica(client, name), f"{name} is back")

    run_through(up, kill)


def test_both_replicas_killed_at_once_only_delay_the_readers(up: Up) -> None:
    def kill(client: Client) -> None:
        for is_back in [kill_replica(client, name) for name in ("r1", "r2")]:
            until(is_back, "both replicas are back")

    run_through(up, kill)


def test_a_killed_controller_comes_back_and_nothing_is_lost_or_doubled(up: Up) -> None:
    def kill(_client: Client) -> None:
        up.kill()
        # Its replicas must not outlive it: they would go on for nobody.
        all_ended(up.data)
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

"""A standby takes over while clients write, read and subscribe: they notice a pause, no more."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from antiphon.client import Client, connect
from antiphon.protocol.errors import ComputeError, OutcomeUnknown, Standby
from antiphon.protocol.stage import Stage
from tests.end_to_end.looping import Loop
from tests.end_to_end.system import (
    CLI,
    PATIENCE_S,
    Up,
    address_of,
    all_ready,
    cli,
    is_ready,
    replica_of,
    reserved_port,
    until,
)
from tests.end_to_end.traffic import SCHEMA, Asker, Reader, Writer, check_sums, parts_of


@dataclass
class Pair:
    """A live system, its standby on the same data, and a replica that somebody else runs."""

    directory: Path
    live: Up
    standby: Up
    outside: list[tuple[subprocess.Popen[bytes], socket.socket]] = field(default_factory=list)

    @property
    def addresses(self) -> str:
        return f"{self.live.address},{self.standby.address}"

    def connect(self) -> Client:
        return connect(self.addresses, wait_s=PATIENCE_S, patience_s=PATIENCE_S)

    def add_outside(self, name: str) -> None:
        """A replica that knows both controllers, added to the live one."""
        place = reserved_port()
        home = self.live.data / "replicas" / name
        home.mkdir(parents=True)
        with (home / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *CLI, "replica", "--name", name, "--listen", address_of(place),
                    "--controller", self.addresses, "--data", str(home), "--watch-stdin",
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        self.outside.append((process, place))
        done = cli("replica", "add", name, "--at", address_of(place), "-a", self.live.address)
        assert done.returncode == 0, done.stderr

    def warm(self) -> None:
        def is_warm() -> bool:
            with self.standby.connect() as client:
                status = client.status()
            return status.role == "standby" and "1 of 1" in status.mode_reason

        until(is_warm, "the standby is warm")

    def end(self) -> None:
        for process, place in self.outside:
            process.kill()
            process.wait()
            place.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with (
        Up(tmp_path, replicas=1) as live,
        Up(tmp_path, "--standby", replicas=1, log="standby") as standby,
    ):
        found = Pair(tmp_path, live, standby)
        try:
            yield found
        finally:
            found.end()


def run_through(pair: Pair, hand_over: Callable[[], None]) -> None:
    """Clients of all kinds, and a hand-over in the middle."""
    clients = [pair.connect() for _ in range(4)]
    client = clients[0]
    try:
        client.script(SCHEMA)
        pair.add_outside("far")
        writer = Writer(clients[1])
        readers = [Reader(clients[2], "events"), Reader(clients[2], "parts")]
        asker = Asker(clients[3], writer)
        for loop in (writer, *readers, asker):
            loop.start()
        writer.write(200)
        pair.warm()
        answers = asker.answers
        hand_over()
        writer.write(400)
        asker.until(lambda: asker.answers > answers + 10, "reads are answered")
        writer.finish()
        asker.finish()
        for reader in readers:
            reader.finish_at(writer.times[-1], lambda: client.append("nudges", [{"id": 1}]))
        until(lambda: all(map(is_ready, client.status().replicas)), "all replicas are ready")
        sums = check_sums(client, writer, readers)
        status = client.status()
        assert (status.epoch, status.role) == (2, "live")
        assert [replica.name for replica in status.replicas] == ["far", "s1"]
        for replica in ("far", "s1"):
            assert parts_of(client, replica) == sums
    finally:
        for one in clients:
            one.close()


class Views(Loop):
    """They come and go: there is nearly always one that is yet to be filled."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.number = 0

    def step(self) -> None:
        self.number += 1
        # A statement that is under way when its controller ends may have been done, or not.
        with suppress(OutcomeUnknown):
            self.client.script(
                f"CREATE VIEW v{self.number} AS"
                " SELECT part, max(id) AS m FROM events GROUP BY part;"
                f"CREATE INDEX ON v{self.number} (part);"
                f"DROP VIEW IF EXISTS v{self.number - 1} CASCADE"
            )


def promote(pair: Pair) -> None:
    done = cli("promote", "-a", pair.standby.address, timeout_s=2 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the controller of epoch 2\n"


def test_a_promoted_standby_goes_on_and_the_older_controller_ends(pair: Pair) -> None:
    def hand_over() -> None:
        with pair.connect() as client, Views(client):
            promote(pair)
        assert pair.live.process.wait(PATIENCE_S) == 1
        assert "antiphon: epoch 2 owns the " in pair.live.tail()

    run_through(pair, hand_over)


def test_a_controller_killed_while_its_standby_is_promoted_loses_nothing(pair: Pair) -> None:
    def hand_over() -> None:
        promotion = threading.Thread(target=promote, args=(pair,))
        promotion.start()
        pair.live.kill()
        promotion.join(2 * PATIENCE_S)
        assert not promotion.is_alive()

    run_through(pair, hand_over)


@pytest.mark.slow
def test_a_frozen_controller_answers_nothing_old_when_it_wakes_up(pair: Pair) -> None:
    with pair.live.ready() as client:
        client.script("CREATE TABLE t (k bigint PRIMARY KEY); INSERT INTO t VALUES (1)")
        pair.warm()
        pair.live.process.send_signal(signal.SIGSTOP)
        promote(pair)
        with pair.standby.connect() as newer:
            newer.sql("INSERT INTO t VALUES (2)")
        pair.live.process.send_signal(signal.SIGCONT)
        with pytest.raises(ComputeError):
            raise AssertionError(one_attempt(pair.live.address))
        assert pair.live.process.wait(PATIENCE_S) == 1


def one_attempt(address: str) -> list[tuple[object, ...]]:
    with connect(address, patience_s=0) as client:
        return client.sql("SELECT count(*) FROM t").rows()


def test_a_standby_serves_no_data_and_says_who_does(pair: Pair) -> None:
    with pair.live.ready() as live:
        live.sql("CREATE TABLE t (k bigint)")
        pair.warm()
        with pair.standby.connect() as standby:
            for call in (
                lambda: standby.sql("SELECT * FROM t"),
                lambda: standby.sql("CREATE TABLE u (k bigint)"),
                lambda: standby.append("t", [{"k": 1}]),
                lambda: standby.peek("t"),
                lambda: next(iter(standby.subscribe("t"))),
                lambda: standby.add_replica("r9"),
                lambda: standby.remove_replica("r1"),
                lambda: standby.promote_replica("r1"),
            ):
                with pytest.raises(Standby, match=f"ask the live one at {pair.live.address}"):
                    call()
            assert standby.status().live_address == pair.live.address
            assert [record.position for record in standby.history()] == []
    refused = cli("controller", "--data", str(pair.live.data), "--listen", "127.0.0.1:0")
    assert refused.returncode == 1
    assert "another controller" in refused.stderr


def test_a_second_set_of_replicas_warms_up_and_takes_over(tmp_path: Path) -> None:
    with Up(tmp_path, replicas=0) as up, up.connect() as client, up.connect() as other:
        client.script(SCHEMA)
        client.add_replica("old")
        writer, readers = Writer(other), [Reader(client, "events"), Reader(client, "parts")]
        asker = Asker(client, writer)
        for loop in (writer, *readers, asker):
            loop.start()
        client.add_replica("new", read_only=True)

        def is_warm() -> bool:
            found = replica_of(client, "new")
            assert found.stage != int(Stage.READ_WRITE)
            is_read_only = found.link == "connected" and found.stage == int(Stage.READ_ONLY)
            return is_read_only and any(c.hydrated for c in found.collections)

        until(is_warm, "the new replica is warm")
        client.promote_replica("new")
        client.remove_replica("old")
        until(lambda: all_ready(client.status(), 1), "the new replica is ready")
        writer.write(400)
        writer.finish()
        asker.finish()
        for reader in readers:
            reader.finish_at(writer.times[-1], lambda: client.append("nudges", [{"id": 1}]))
        sums = check_sums(client, writer, readers)
        assert parts_of(client, "new") == sums

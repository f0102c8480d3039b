"""A standby takes over while clients write, read and subscribe: they notice a pause, no more."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from antiphon.client import Client, connect
from antiphon.protocol.errors import ComputeError, Standby
from antiphon.protocol.stage import Stage
from tests.end_to_end.system import (
    CLI,
    Up,
    all_ready,
    cli,
    free_port,
    is_ready,
    processes_of,
    replica_of,
    until,
)
from tests.end_to_end.traffic import SCHEMA, Asker, Reader, Writer, check_sums, parts_of


@dataclass
class Pair:
    """A live system, its standby on the same data, and a replica that somebody else runs."""

    directory: Path
    live: Up
    standby: Up
    outside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def addresses(self) -> str:
        return f"{self.live.address},{self.standby.address}"

    def connect(self) -> Client:
        return connect(self.addresses, wait_s=40)

    def add_outside(self, name: str) -> None:
        """A replica that knows both controllers, added to the live one."""
        address = f"127.0.0.1:{free_port()}"
        log = (self.directory / name).open("ab")
        self.outside.append(
            subprocess.Popen(
                [
                    *CLI, "replica", "--name", name, "--listen", address,
                    "--controller", self.addresses, "--data", str(self.live.data / "far" / name),
                    "--watch-stdin",
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )
        )  # fmt: skip
        done = cli("replica", "add", name, "--at", address, "-a", self.live.address)
        assert done.returncode == 0, done.stderr

    def warm(self) -> None:
        def is_warm() -> bool:
            with self.standby.connect() as client:
                status = client.status()
            return status.role == "standby" and "1 of 1" in status.mode_reason

        until(is_warm, 60, self.standby.tail())

    def tails(self) -> str:
        return self.live.tail() + self.standby.tail()


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
            for process in found.outside:
                process.kill()
                process.wait()
    assert not processes_of(tmp_path), "left behind"


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
        writer.start()
        for reader in readers:
            reader.start()
        asker.start()
        until(lambda: writer.acknowledged > 200 or writer.error is not None, 60, pair.tails())
        pair.warm()
        answers = asker.answers
        hand_over()
        goal = writer.acknowledged + 400
        until(lambda: writer.acknowledged > goal or writer.error is not None, 60, pair.tails())
        until(lambda: asker.answers > answers + 10 or asker.error is not None, 60, pair.tails())
        writer.finish()
        asker.finish()
        for reader in readers:
            reader.finish(writer.times[-1], lambda: client.append("nudges", [{"id": 1}]))
        until(lambda: all(map(is_ready, client.status().replicas)), 60, pair.tails())
        sums = check_sums(client, writer, readers)
        status = client.status()
        assert (status.epoch, status.role) == (2, "live")
        assert [replica.name for replica in status.replicas] == ["far", "s1"]
        for replica in ("far", "s1"):
            assert parts_of(client, replica) == sums
    finally:
        for one in clients:
            one.close()


@contextlib.contextmanager
def views_that_come_and_go(pair: Pair) -> Iterator[None]:
    """There is nearly always one that is yet to be filled."""
    over = threading.Event()
    errors: list[BaseException] = []

    def run(client: Client) -> None:
        number = 0
        try:
            while not over.is_set():
                number += 1
                client.script(
                    f"CREATE VIEW v{number} AS SELECT part, max(id) AS m FROM events GROUP BY part;"
                    f"CREATE INDEX ON v{number} (part)"
                )
                client.script(f"DROP VIEW v{number - 1} CASCADE" if number > 1 else "SELECT 1")
        except BaseException as error:
            errors.append(error)

    with pair.connect() as client:
        thread = threading.Thread(target=run, args=(client,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)
    assert not thread.is_alive(), "the views hang"
    assert not errors, errors


def promote(pair: Pair) -> None:
    done = cli("promote", "-a", pair.standby.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the controller of epoch 2\n"


def test_a_promoted_standby_goes_on_and_the_older_controller_ends(pair: Pair) -> None:
    def hand_over() -> None:
        with views_that_come_and_go(pair):
            promote(pair)
        assert pair.live.process.wait(20) == 1
        assert "antiphon: epoch 2 owns the " in pair.live.tail()

    run_through(pair, hand_over)


def test_a_controller_killed_while_its_standby_is_promoted_loses_nothing(pair: Pair) -> None:
    def hand_over() -> None:
        promotion = threading.Thread(target=promote, args=(pair,))
        promotion.start()
        pair.live.kill()
        promotion.join(60)
        assert not promotion.is_alive()

    run_through(pair, hand_over)


@pytest.mark.slow
def test_a_frozen_controller_answers_nothing_old_when_it_wakes_up(pair: Pair) -> None:
    with pair.live.ready() as client:
        client.script("CREATE TABLE t (k bigint PRIMARY KEY); INSERT INTO t VALUES (1)")
        pair.warm()
        pair.live.process.send_signal(signal.SIGSTOP)
        promote(pair)
        with connect(pair.standby.address, wait_s=40) as newer:
            newer.sql("INSERT INTO t VALUES (2)")
        pair.live.process.send_signal(signal.SIGCONT)
        with pytest.raises(ComputeError):
            raise AssertionError(one_attempt(pair.live.address))
        assert pair.live.process.wait(20) == 1


def one_attempt(address: str) -> list[tuple[object, ...]]:
    with connect(address, patience_s=0) as client:
        return client.sql("SELECT count(*) FROM t").rows()


def test_a_standby_serves_no_data_and_says_who_does(pair: Pair) -> None:
    with pair.live.ready() as live:
        live.sql("CREATE TABLE t (k bigint)")
        pair.warm()
        with connect(pair.standby.address, wait_s=40) as standby:
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
        writer.start()
        for reader in readers:
            reader.start()
        asker.start()
        client.add_replica("new", read_only=True)

        def is_warm() -> bool:
            found = replica_of(client, "new")
            return found.link == "connected" and any(c.hydrated for c in found.collections)

        until(is_warm, 60, up.tail())
        assert replica_of(client, "new").stage == int(Stage.READ_ONLY)
        client.promote_replica("new")
        client.remove_replica("old")
        until(lambda: all_ready(client.status(), 1), 60, up.tail())
        goal = writer.acknowledged + 400
        until(lambda: writer.acknowledged > goal or writer.error is not None, 60, up.tail())
        writer.finish()
        asker.finish()
        for reader in readers:
            reader.finish(writer.times[-1], lambda: client.append("nudges", [{"id": 1}]))
        sums = check_sums(client, writer, readers)
        assert parts_of(client, "new") == sums
    assert not processes_of(tmp_path), "left behind"

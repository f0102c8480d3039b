"""`antiphon up` as its user meets it: start, stop, restart, and what may not be started."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from antiphon.protocol.errors import DuplicateKey, Unauthenticated
from tests.end_to_end.system import (
    CLI,
    PATIENCE_S,
    Up,
    all_ended,
    cli,
    listening_addresses,
    processes_of,
    run,
    until,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lasting() -> Iterator[Up]:
    """One for all tests that leave it as it is: a start takes seconds."""
    with tempfile.TemporaryDirectory(prefix="ap-") as directory:
        with Up(Path(directory)) as system:
            system.ready().close()
            yield system
        all_ended(Path(directory))


def example(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, *arguments], cwd=ROOT)


def test_it_says_where_it_listens_and_what_to_type_next(lasting: Up) -> None:
    said = lasting.log.read_text()
    assert lasting.address in said
    assert "antiphon sql" in said
    done = cli("sql", "-a", lasting.address, "-c", "SELECT 6 * 7 AS answer")
    assert (done.returncode, done.stdout) == (0, "answer\n42\n"), done.stderr


def test_a_restart_finds_everything(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            CREATE TABLE t (id bigint PRIMARY KEY, x text);
            CREATE FEED f (id bigint PRIMARY KEY, x bigint);
            CREATE VIEW v AS SELECT x, count(*) AS n FROM t GROUP BY x;
            CREATE INDEX v_by ON v (x);
            CREATE MATERIALIZED VIEW m AS SELECT t.x, f.x AS y FROM t JOIN f ON t.id = f.id;
        """)
        client.append("t", [{"id": i, "x": "ab"[i % 2]} for i in range(100)])
        client.append("f", [{"id": i, "x": i} for i in range(50)])
        client.delete("f", [{"id": 0}])
        client.sql("DELETE FROM t WHERE id >= 90")
        reads = ("SELECT * FROM v ORDER BY x", "SELECT * FROM m ORDER BY y", "SELECT * FROM f")
        before = [sorted(client.sql(read).rows()) for read in reads]
        names = [c.name for c in client.collections()]
        assert len(before[1]) == 49
    up.interrupt()
    all_ended(up.data)
    up.start()
    with up.ready() as client:
        assert [sorted(client.sql(read).rows()) for read in reads] == before
        assert [c.name for c in client.collections()] == names
        with pytest.raises(DuplicateKey):
            client.append("t", [{"id": 5, "x": "again"}])
        assert client.status().epoch == 2


def test_ctrl_c_stops_everything_within_two_seconds(up: Up) -> None:
    seconds = []
    # The system's own processes may be held up, and nobody else: one of three ends in time.
    for number in range(3):
        with up.ready() as client:
            client.sql(f"CREATE TABLE t{number} (id bigint)")
            client.sql(f"CREATE MATERIALIZED VIEW v{number} AS SELECT count(*) AS n FROM t{number}")
            client.append(f"t{number}", [{"id": 1}])
            with client.subscribe(f"v{number}") as changes:
                next(iter(changes))
                assert len(processes_of(up.data)) >= 3
                seconds.append(up.interrupt())
        assert up.process.returncode == 0
        all_ended(up.data)
        if seconds[-1] < 2.0:
            return
        up.start()
    raise AssertionError(f"it took {seconds} s")


def test_only_loopback_listens(lasting: Up) -> None:
    assert listening_addresses(processes_of(lasting.data)) == {"127.0.0.1"}


def test_the_data_directory_is_the_users_alone(lasting: Up) -> None:
    assert stat.S_IMODE(lasting.data.stat().st_mode) == 0o700
    for name in ("r1", "r2"):
        assert stat.S_IMODE((lasting.data / "replicas" / name).stat().st_mode) == 0o700


def test_a_wrong_token_is_refused_and_the_right_one_let_in(tmp_path: Path) -> None:
    with Up(tmp_path, environment={"ANTIPHON_TOKEN": "secret"}) as up:
        with up.connect(token="secret") as client:
            until(
                lambda: all(r.link == "connected" for r in client.status().replicas),
                "both replicas are let in",
            )
        for token in (None, "guess"):
            with pytest.raises(Unauthenticated):
                up.connect(token=token)
        done = cli("sql", "-a", up.address, "--token", "guess", "-c", "SELECT 1")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "token" in done.stderr
        assert cli("sql", "-a", up.address, "--token", "secret", "-c", "SELECT 1").returncode == 0


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = cli("up", "--data", str(tmp_path / "data"), "--listen", address)
    assert done.returncode == 1
    assert address in done.stderr.splitlines()[-1]
    all_ended(tmp_path)


def test_a_store_with_a_living_controller_is_refused(lasting: Up) -> None:
    with lasting.ready() as client:
        done = cli("up", "--data", str(lasting.data), "--listen", "127.0.0.1:0")
        assert done.returncode == 1
        assert "store locked" in done.stderr.splitlines()[-1]
        assert client.status().epoch == 1  # and the first goes on
        client.sql("CREATE TABLE t (id bigint)")


def test_bad_settings_are_one_clear_line(tmp_path: Path) -> None:
    for options in (["--listen", "nowhere"], ["--config", "absent.toml"]):
        done = cli("up", "--data", str(tmp_path / "data"), *options)
        assert done.returncode == 2, options
        assert done.stderr.count("\n") == 1, done.stderr


def test_a_path_too_long_for_sockets_is_told_before_anything_starts(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    done = cli("up", "--data", str(deep), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "shorter --data" in done.stderr
    assert not deep.exists()


def test_it_ends_with_the_process_that_started_it(up: Up) -> None:
    up.ready().close()
    assert up.process.stdin is not None
    up.process.stdin.close()
    assert up.process.wait(PATIENCE_S) == 0
    all_ended(up.data)


def test_a_stock_client_lists_services_and_reads_the_status_by_reflection(lasting: Up) -> None:
    with grpc.insecure_channel(lasting.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = set(database.get_services())
        assert {
            "antiphon.v1.Control",
            "antiphon.v1.Collections",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        } <= services
        pool = descriptor_pool.DescriptorPool(database)
        method = pool.FindServiceByName("antiphon.v1.Control").FindMethodByName("GetStatus")
        ask = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        call = channel.unary_unary(
            "/antiphon.v1.Control/GetStatus",
            request_serializer=ask.SerializeToString,
            response_deserializer=answer.FromString,
        )
        status = call(ask(), timeout=PATIENCE_S)
    assert [replica.name for replica in status.replicas] == ["r1", "r2"]
    assert status.epoch == 1


def test_the_commands_work_together(lasting: Up, tmp_path: Path) -> None:
    at = ("-a", lasting.address)
    script = "CREATE TABLE s (id bigint PRIMARY KEY, region text); CREATE MATERIALIZED VIEW v AS\n"
    script += "SELECT region, count(*) AS n FROM s GROUP BY region;"
    assert cli("sql", *at, stdin=script).returncode == 0
    (tmp_path / "s.csv").write_text("id,region\n" + "".join(f"{i},r{i % 3}\n" for i in range(300)))
    done = cli("load", *at, "s", str(tmp_path / "s.csv"))
    assert done.stdout.startswith("300 rows loaded into s"), done.stderr
    again = cli("load", *at, "s", str(tmp_path / "s.csv"))
    assert again.returncode == 1
    assert "duplicate key" in again.stderr
    done = cli("sql", *at, "--json", "-c", "SELECT * FROM v ORDER BY region")
    assert json.loads(done.stdout)["rows"] == [{"region": f"r{i}", "n": 100} for i in range(3)]
    done = cli("subscribe", *at, "v", "--limit", "3")
    assert len(done.stdout.splitlines()) == 4
    status = json.loads(cli("status", *at, "--json").stdout)
    assert [r["stage"] for r in status["replicas"]] == ["STAGE_READ_WRITE"] * 2
    history = cli("history", "show", *at)
    assert "create" in history.stdout.lower(), history.stderr
    done = cli("sql", *at, "-c", "SELECT * FROM nothing")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "nothing" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["examples/quickstart.py"], "north: 5 sales"),
        (["examples/raw_grpc.py"], "'answer': 42"),
    ],
)
def test_the_examples_run(lasting: Up, arguments: list[str], expected: str) -> None:
    done = example(*arguments, lasting.address)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_the_dashboard_example_follows_the_quickstart(lasting: Up) -> None:
    first = example("examples/quickstart.py", lasting.address)
    assert first.returncode == 0, first.stderr
    done = example("examples/dashboard.py", lasting.address, "1")
    assert done.returncode == 0, done.stderr
    assert "'north'" in done.stdout


def test_a_closed_reader_ends_a_command_quietly(lasting: Up) -> None:
    producer = subprocess.Popen(
        [*CLI, "sql", "-a", lasting.address, "-c", "SHOW ALL; SELECT 1; SELECT 2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert producer.stdout is not None
    producer.stdout.close()
    _, error = producer.communicate(timeout=PATIENCE_S)
    assert b"Traceback" not in error

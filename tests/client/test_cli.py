"""The commands as a user types them: what they print, where, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from antiphon.cli.failure import describe
from antiphon.cli.main import run
from antiphon.cli.status import hydration, render
from antiphon.client.io.loop import background_loop
from antiphon.history.io.sqlite.layout import StoreUnusable
from antiphon.protocol.errors import InvalidSql, RemoteProtocolError, SinceViolation
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.v1 import control_pb2 as wire
from antiphon.v1 import response_pb2
from tests.client.fake_control import Chunk, FakeControl, Planned

SALES = Schema((Column(name="id", type=INT64, nullable=False), Column(name="region", type=TEXT)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("ANTIPHON_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeControl]:
    loop = background_loop()
    server = FakeControl()
    loop.run(server.__aenter__())
    server.add("sales", SALES, key=("id",))
    monkeypatch.setenv("ANTIPHON_ADDRESS", server.address)
    yield server
    loop.run(server.stop())


def test_a_select_prints_tab_separated_rows_into_a_pipe(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    control.answers["SELECT 1"] = pa.table({"a": [1, None], "b": ["x\ty", "z"]})
    assert run(["sql", "-c", "SELECT 1"]) == 0
    assert capsys.readouterr().out == "a\tb\n1\tx\\ty\nNULL\tz\n"


def test_json_prints_one_object_a_statement(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    control.answers = {"SELECT 1": pa.table({"a": [1]}), "CREATE TABLE t": "CREATE TABLE"}
    assert run(["sql", "--json", "-c", "CREATE TABLE t; SELECT 1"]) == 0
    created, selected = map(json.loads, capsys.readouterr().out.splitlines())
    assert (created["tag"], created["rows"]) == ("CREATE TABLE", None)
    assert (selected["rows"], selected["time"]) == ([{"a": 1}], 100)


def test_several_commands_run_in_their_order(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    control.answers = {"INSERT 1": "INSERT 0 1", "DELETE 2": "DELETE 2", "INSERT 3": "INSERT 0 3"}
    assert run(["sql", "-c", "INSERT 1; DELETE 2", "-c", "INSERT 3"]) == 0
    assert capsys.readouterr().out == "INSERT 0 1\nDELETE 2\nINSERT 0 3\n"
    assert run(["sql", "-c", "SELECT 'a", "-c", "SELECT b'"]) == 1
    assert "inside a quote" in capsys.readouterr().err


def test_statements_come_from_stdin_and_from_a_file(
    control: FakeControl,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
) -> None:
    control.answers["INSERT 1"] = "INSERT 0 1"
    monkeypatch.setattr(sys, "stdin", io.StringIO("INSERT 1;\n"))
    assert run(["sql"]) == 0
    (home / "script.sql").write_text("INSERT 1; -- done")
    assert run(["sql", "-f", "script.sql"]) == 0
    assert capsys.readouterr().out == "INSERT 0 1\nINSERT 0 1\n"


def test_a_failure_is_one_line_on_stderr_and_exit_code_one(
    control: FakeControl, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    control.fail("Execute", Planned(InvalidSql("unexpected 'SELEC'", line=1, column=1)))
    assert run(["sql", "-c", "SELEC 1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "antiphon: invalid sql: unexpected 'SELEC' (column=1, line=1)\n"
    log = home / "state" / "antiphon" / "errors.log"
    assert "InvalidSql" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_of_failures_keeps_no_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in (["--token", "hush"], ["--token=hush"]):
        command = ["status", "-a", "127.0.0.1:1", *secret]
        monkeypatch.setattr(sys, "argv", ["antiphon", *command])
        assert run(command) == 1
    log = (home / "state" / "antiphon" / "errors.log").read_text()
    assert log.count("***") == 2
    assert "hush" not in log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sql", "-c", "SELECT 'a"], "inside a quote"),
        (["sql", "-f", "absent.sql"], "absent.sql: No such file"),
        (["load", "sales", "absent.csv"], "absent.csv: no such file"),
        (["load", "nothing", "absent.csv"], "no collection 'nothing'"),
    ],
)
@pytest.mark.usefixtures("control")
def test_bad_input_is_told_by_name(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_nobody_there_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sql", "-a", "127.0.0.1:1", "-c", "SELECT 1"]) == 1
    assert capsys.readouterr().err == (
        "antiphon: unavailable: no controller answers at 127.0.0.1:1: nobody listens there;"
        " `antiphon up` starts one, --address or ANTIPHON_ADDRESS say where it is\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["frobnicate"], ["sql", "--frob"], ["load", "only-a-table"], ["up", "--replicas", "-1"]],
)
def test_wrong_usage_is_one_line_and_exit_code_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "--help" in captured.err


def test_a_file_is_loaded_and_counted(
    control: FakeControl, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "sales.csv").write_text("id,region\n1,north\n2,\n")
    assert run(["load", "sales", "sales.csv"]) == 0
    assert capsys.readouterr().out.startswith("2 rows loaded into sales")
    assert run(["load", "sales", "sales.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    assert len(control.rows("sales")) == 4


def test_a_subscription_prints_one_line_a_change(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    chunks = [Chunk(0, 5, ((1, "a", 4, 1),)), Chunk(5, None, ((1, "a", 5, -1),))]
    control.streams.append((chunks, None))
    assert run(["subscribe", "sales"]) == 0
    assert capsys.readouterr().out == "time\tdiff\tid\tregion\n4\t+1\t1\ta\n5\t-1\t1\ta\n"
    control.streams.append((chunks, None))
    assert run(["subscribe", "sales", "--json", "--progress", "--limit", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"time": 4, "diff": 1, "row": {"id": 1, "region": "a"}}, {"progress": 5}]
    control.streams.append(([], SinceViolation("too late")))
    assert run(["subscribe", "sales", "--from", "3"]) == 1
    assert "since violation" in capsys.readouterr().err


def test_a_failure_in_a_script_says_where_in_the_script(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    error = InvalidSql("line 1:8: no x", line=1, column=8)
    control.fail("Execute", Planned(error))
    assert run(["sql", "-c", "\n-- first\n;  SELECT x"]) == 1
    assert "line 3:11: no x" in capsys.readouterr().err


def test_a_store_that_cannot_be_opened_is_no_protocol_error() -> None:
    assert describe(StoreUnusable("the store cannot be opened")) == "the store cannot be opened"
    assert describe(RemoteProtocolError("no Hello")) == "protocol error: no Hello"


def test_json_is_strict_where_floats_are_not_finite(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    floats = [float("nan"), float("inf"), float("-inf"), 0.5]
    control.answers["SELECT x"] = pa.table({"x": floats, "y": [[f] for f in floats]})
    names = ["NaN", "Infinity", "-Infinity", 0.5]
    assert run(["sql", "--json", "-c", "SELECT x"]) == 0
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["rows"]
    assert rows == [{"x": name, "y": [name]} for name in names]
    assert run(["sql", "-c", "SELECT x"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t") == ["NaN", '["NaN"]']


@pytest.mark.parametrize(
    "options", [["--as-of", "-1"], ["--as-of", str(2**70)], ["-f", "script.sql"]]
)
def test_options_that_make_no_sense_are_wrong_usage(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sql", "-c", "SELECT 1", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_status_cuts_no_cell_of_an_ordinary_terminal(width: int) -> None:
    replica = wire.ReplicaInfo(
        name="r1", link="connected", stage=5, lag_ms=123_456, resident_bytes=2**34, restarts=12,
        process_id=4_194_304, decision="rebuild", address="unix:/data/replicas/r1/socket",
    )  # fmt: skip
    printed = Console(width=width, file=io.StringIO())
    printed.print(render(wire.GetStatusResponse(replicas=[replica]), width=width))
    assert isinstance(printed.file, io.StringIO)
    text = printed.file.getvalue()
    assert "…" not in text
    assert "connected" in text
    assert "restarts" in text


@pytest.mark.parametrize(
    ("rows", "elapsed_ms", "said"),
    [
        ((0, 0, 0), 0, "waiting to hydrate"),
        ((0, 0, 0), 10, "hydrating"),
        ((0, 10_000_000, 0), 10, "hydrating, read 0 of 10,000,000 rows, 0 %"),
        (
            (0, 10_000_000, 3_000_000),
            3_000,
            "hydrating, read 3,000,000 of 10,000,000 rows, 15 %, about 17 s left",
        ),
        (
            (2_500_000, 10_000_000, 5_500_000),
            8_000,
            "hydrating, computed 2,500,000 of 10,000,000 rows, 40 %, about 12 s left",
        ),
        ((9, 9, 9), 8_000, "hydrating, computed 9 of 9 rows, 100 %, about 0 s left"),
    ],
)
def test_the_status_says_how_far_a_hydration_is(
    rows: tuple[int, int, int], elapsed_ms: int, said: str
) -> None:
    done, total, received = rows
    progress = response_pb2.HydrationProgress(
        rows_done=done, rows_total=total, rows_received=received, elapsed_ms=elapsed_ms
    )
    assert hydration(progress) == said


def test_the_status_names_what_cannot_run() -> None:
    status = wire.GetStatusResponse()
    status.replicas.add(name="r1").collections.add(name="v", failed=True)
    printed = Console(width=100, file=io.StringIO())
    printed.print(render(status, width=100))
    assert isinstance(printed.file, io.StringIO)
    assert "cannot run, and a read says why" in printed.file.getvalue()


@pytest.mark.usefixtures("control")
def test_the_status_names_replicas_stages_and_frontiers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["status"]) == 0
    plain = capsys.readouterr().out
    assert "instance main" in plain
    assert "history at 4 (folded up to 1)" in plain
    assert "reason\tr1\tkeep-up because it is at the head 4, with the same digest" in plain
    assert "replica\tr1\tconnected\tread-write" in plain
    assert "collection\tv\tr1\thydrated\t100\t3 ms" in plain
    assert run(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["epoch"], status["timeline_upper"]["time"]) == (2, 100)
    assert status["replicas"][0]["collections"][0]["hydrated"] is True


@pytest.mark.usefixtures("control")
def test_the_history_says_what_is_kept_and_for_whom(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "status"]) == 0
    plain = capsys.readouterr().out
    assert "folded up to 1, head 4, 3 commands unedited (99 bytes)" in plain
    assert "r1\t3\treserved" in plain
    assert run(["history", "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pins"] == [{"replica": "r1", "position": 3, "state": "reserved"}]


@pytest.mark.usefixtures("control")
def test_a_decision_is_explained_with_what_became_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", "replica", "r1"]) == 0
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.split("\t") == [
        "1970-01-01 00:00:01.000+00:00",
        "7",
        "catch-up because it is at position 3 of 4: it missed 1 command",
        "completed",
    ]
    assert run(["explain", "replica", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "completed"


def test_the_status_of_a_standby_says_so_and_where_the_live_one_is() -> None:
    status = wire.GetStatusResponse(instance="main", role="standby", live_address="h:1")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render(status, width=120))
    assert "instance main, a standby of h:1, " in console.export_text()


def test_replicas_are_added_promoted_and_removed(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replica", "add", "r9", "--at", "h:1", "--read-only"]) == 0
    assert run(["replica", "promote", "r9"]) == 0
    assert run(["replica", "remove", "r9", "--json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "replica r9 was added at h:1, read-only",
        "replica r9 may write from now on",
        '{"replica": "r9", "removed": true}',
    ]
    (added,) = control.requests["AddReplica"]
    assert (added.name, added.address, added.read_only) == ("r9", "h:1", True)
    assert [r.replica for r in control.requests["Promote"]] == ["r9"]


def test_the_history_is_printed_in_the_logs_words(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    control.history = [
        wire.HistoryRecord(
            position=n, kind="create_dataflow", digest=bytes([n]) * 32, text=f"create-dataflow u{n}"
        )
        for n in (1, 2)
    ]
    assert run(["history", "show", "--from", "2"]) == 0
    out = capsys.readouterr().out
    assert "create-dataflow u2" in out
    assert "create-dataflow u1" not in out
    assert run(["history", "show", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["position"], r["digest"][:4]) for r in records] == [(1, "0101"), (2, "0202")]


def test_flags_win_over_the_environment_over_the_file(
    control: FakeControl,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    control.answers["SELECT 1"] = pa.table({"a": [1]})
    command = ["sql", "-c", "SELECT 1"]
    monkeypatch.setenv("ANTIPHON_ADDRESS", "127.0.0.1:1")
    assert run(command) == 1
    assert run([*command, "-a", control.address]) == 0
    (home / "antiphon.toml").write_text(f'[client]\naddress = "{control.address}"\n')
    assert run(command) == 1
    monkeypatch.delenv("ANTIPHON_ADDRESS")
    assert run(command) == 0
    (home / "antiphon.toml").write_text("[client\n")
    assert run(command) == 2
    assert "antiphon.toml" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("antiphon ")
    assert run(["version", "--json"]) == 0
    assert "version" in json.loads(capsys.readouterr().out)


def test_help_is_there_at_once_for_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from antiphon.cli.main import run; run(['--help']);"
        "print([m for m in ('grpc', 'pyarrow', 'numpy', 'pydantic_settings', 'duckdb')"
        " if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(name in done.stdout for name in ("up", "sql", "load", "status", "demo"))


@pytest.mark.parametrize(
    ("command", "code"),
    [("config show >&-", 0), ("sql -a 127.0.0.1:1 <&-", 1), ("sql -a 127.0.0.1:1 2>&-", 1)],
)
def test_a_standard_stream_that_is_closed_holds_nothing(command: str, code: int) -> None:
    line = f'"$0" -m antiphon.cli {command}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (code, b"")
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("serve_replica", "antiphon.controller antiphon.replica.worker antiphon.replica.dataflow"),
        ("serve_replica", "pandas sqlglot sqlite3 duckdb"),
        ("status", "antiphon.controller antiphon.replica pandas sqlglot"),
        ("query", "antiphon.controller antiphon.replica pandas sqlglot"),
    ],
)
def test_a_command_imports_nothing_of_other_parts(module: str, strangers: str) -> None:
    code = (
        f"import sys; from antiphon.cli import main, {module};"
        f"print([name for name in {strangers.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

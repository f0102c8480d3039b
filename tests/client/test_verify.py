"""`antiphon history verify`: a word, or one line a damage and exit code 1."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from antiphon.cli.main import run
from antiphon.history.io.sqlite import open_store


def test_a_store_is_checked_without_a_controller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    data = tmp_path / "data"
    open_store(data, deliver=lambda _: None).close()
    command = ["history", "verify", "--data", str(data)]
    assert run(command) == 0
    assert (
        capsys.readouterr().out == f"the store in {data} is whole: 0 commands, 0 shards, 0 parts\n"
    )
    with closing(sqlite3.connect(data / "store.db")) as connection, connection:
        connection.execute("UPDATE meta SET next_id = 99")
    assert run(command) == 1
    told = capsys.readouterr()
    assert told.out == "damage\nthe row of facts in `meta` is not what was written\n"
    assert "restore the data directory" in told.err
    assert run([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["damage"] == ["the row of facts in `meta` is not what was written"]
    assert run(["history", "verify", "--data", str(tmp_path / "nowhere")]) == 1
    assert "there is no store in" in capsys.readouterr().err

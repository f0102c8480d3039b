"""Bad settings as a user meets them, and `antiphon config show`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from antiphon.cli.main import run

SQL = ["sql", "-c", "SELECT 1"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("ANTIPHON_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "variable", "content", "said"),
    [
        ([*SQL, "--config", "absent.toml"], "", "", "there is no settings file absent.toml"),
        ([*SQL, "-a", ":"], "", "", "setting address (from: flag --address): not HOST:PORT"),
        (SQL, "ADDRESS=:", "", "setting address (from: environment ANTIPHON_ADDRESS): not HOST"),
        (SQL, "ADDRES=h:1", "", "ANTIPHON_ADDRES is no setting; did you mean ANTIPHON_ADDRESS?"),
        (
            SQL,
            "",
            '[client]\nadress = "x:1"',
            "adress (from: file antiphon.toml, line 2): ",
        ),
        (SQL, "TLS_CA=absent", "", "setting tls_ca (from: environment ANTIPHON_TLS_CA): cannot"),
        (["up", "--listen", "x"], "", "", "setting listen (from: flag --listen): not HOST:PORT"),
        (["controller", "--listen", "no.invalid:1"], "", "", "(from: flag --listen): no such host"),
        (["up"], "CONTROLLER_RETAIN_MS=x", "", "environment ANTIPHON_CONTROLLER_RETAIN_MS): "),
        (["up"], "CONTROLLER_REPLICAS=x", "", "ANTIPHON_CONTROLLER_REPLICAS): it holds several"),
        (["controller"], "", "[controller]\nlog = 1", "log (from: file antiphon.toml, line 2): "),
        (["replica", "--name", "X"], "", "", "setting name (from: flag --name): not a replica's"),
        (["replica", "--controller", ","], "", "", "setting controller (from: flag --controller)"),
        (["config", "show"], "REPLICA_LOG=x", "", "environment ANTIPHON_REPLICA_LOG): "),
    ],
)
def test_a_bad_setting_is_told_with_its_source_and_is_wrong_usage(
    arguments: list[str],
    variable: str,
    content: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("antiphon.toml").write_text(content)
    if variable:
        name, _, value = variable.partition("=")
        monkeypatch.setenv(f"ANTIPHON_{name}", value)
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_settings_of_every_part_are_shown_without_secrets(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "antiphon.toml").write_text('[controller]\nlisten = "127.0.0.1:7777"\n')
    monkeypatch.setenv("ANTIPHON_TOKEN", "hush")
    assert run(["config", "show", "--json"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out)
    given = {"value": "127.0.0.1:7777", "source": "file antiphon.toml, line 2"}
    assert found["controller"]["listen"] == given
    assert found["client"]["address"] == {"value": "127.0.0.1:6870", "source": "default"}
    assert found["replica"]["token"]["value"] not in (None, "hush")
    assert found["replica"]["token"]["source"] == "environment ANTIPHON_TOKEN"
    assert run(["config", "show"]) == 0
    assert "hush" not in out + capsys.readouterr().out

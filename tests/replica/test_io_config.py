"""Settings: flags over environment over file over defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.protocol.errors import InvalidArgument
from antiphon.replica.io.config import load_config


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_listen_on_loopback_only() -> None:
    config = load_config()
    assert config.listen == "127.0.0.1:6871"
    assert config.directory == Path("antiphon-data/replicas/r1")
    assert config.server_security().tokens == ()


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('[replica]\nname = "file"\nlisten = "file:1"\ncontroller = "file:2"\n')
    monkeypatch.setenv("ANTIPHON_REPLICA_NAME", "environment")
    monkeypatch.setenv("ANTIPHON_REPLICA_LISTEN", "environment:1")
    config = load_config(name="flag", listen=None)
    assert (config.name, config.listen, config.controller) == (
        "flag",
        "environment:1",
        "file:2",
    )


def test_the_token_may_be_that_of_the_whole_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_TOKEN", "secret")
    config = load_config()
    assert config.client_security().token == "secret"
    assert config.server_security().tokens == ("secret",)
    assert "secret" not in repr(config)


def test_a_named_file_must_exist() -> None:
    with pytest.raises(InvalidArgument, match="no settings file"):
        load_config("missing.toml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[replica", "no settings file"),
        ("replica = 1", "no table"),
        ("[replica]\nunknown = 1", "setting unknown"),
        ('[replica]\nlog = "loud"', "setting log"),
    ],
)
def test_a_bad_file_is_told_by_name(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "my.toml"
    file.write_text(content)
    with pytest.raises(InvalidArgument, match=reason):
        load_config(file)


def test_a_missing_certificate_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"no\.pem"):
        load_config(tls_certificate=tmp_path / "no.pem", tls_key=tmp_path / "no.key")


@pytest.mark.parametrize("name", ["bad/name", "..", "UPPER", "-x", "x" * 64])
def test_a_name_that_could_leave_its_directory_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="not a replica's name"):
        load_config(name=name)

"""Settings: flags over environment over file over defaults, and errors that name the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.controller.io.config import load_config
from antiphon.protocol.io.security import CERTIFICATE_MARK, KEY_MARK
from antiphon.protocol.io.settings_file import BadSetting


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('[controller]\nlisten = "127.0.0.1:1"\nretain_ms = 7\nlocal_replicas = 1\n')
    monkeypatch.setenv("ANTIPHON_CONTROLLER_RETAIN_MS", "8")
    monkeypatch.setenv("ANTIPHON_TOKEN", "shared")
    config = load_config(file, local_replicas=3)
    assert (config.listen, config.retain_ms, config.local_replicas) == ("127.0.0.1:1", 8, 3)
    assert config.server_security().tokens == ("shared",)
    assert config.client_security().token == "shared"


def test_by_default_nothing_listens_beyond_loopback() -> None:
    assert load_config().listen.startswith("127.0.0.1:")


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(load_config(token="secret"))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("[controller]\nretain_ms = -1\n", "retain_ms"),
        ('[controller]\nlisen = "x"\n', "lisen"),
        ("controller = 3\n", "controller"),
        ("not toml", "no settings file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, name: str) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text(content)
    with pytest.raises(BadSetting, match=name):
        load_config(file)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSetting):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(BadSetting, match="cannot read"):
        load_config(tls_certificate=tmp_path / "nowhere.pem")


def test_callers_need_a_certificate_only_if_somebody_is_named_who_signs_it(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("tls_certificate", "tls_key", "tls_ca")}
    for name, file in files.items():
        file.write_bytes(KEY_MARK if name == "tls_key" else CERTIFICATE_MARK)
    assert load_config(**files).server_security().authority is None
    signer = tmp_path / "signer"
    signer.write_bytes(CERTIFICATE_MARK + b" signer")
    found = load_config(**files, tls_client_ca=signer).server_security().authority
    assert found == CERTIFICATE_MARK + b" signer"


@pytest.mark.parametrize("replicas", [{"Far": "h:1"}, {"far": ":1"}, {"far": "h:0"}])
def test_a_replica_that_cannot_be_is_told_with_the_line_that_names_it(
    tmp_path: Path, replicas: dict[str, str]
) -> None:
    file = tmp_path / "antiphon.toml"
    ((name, address),) = replicas.items()
    file.write_text(f'[controller]\n\n[controller.replicas]\n{name} = "{address}"\n')
    with pytest.raises(BadSetting, match=r"setting replicas \(from: file .*, line 3\)"):
        load_config(file)
    with pytest.raises(BadSetting, match=r"local_replicas \(from: flag --replicas\)"):
        load_config(local_replicas=-1)

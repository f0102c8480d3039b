"""The settings file: a table for each part, and nothing that nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.protocol.io.settings_file import BadSetting, place_of, settings_table


def test_each_part_has_its_table(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('[client]\naddress = "a:1"\n[controller.replicas]\nfar = "b:2"\n')
    assert settings_table(file, "client") == {"address": "a:1"}
    assert settings_table(str(file), "controller") == {"replicas": {"far": "b:2"}}
    assert settings_table(file, "replica") == {}


def test_the_file_of_this_folder_need_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_table(None, "client") == {}
    Path("antiphon.toml").write_text("[client]\nx = 1\n")
    assert settings_table(None, "client") == {"x": 1}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'[controler]\ntoken = "secret"\n', r"controler is not one of the tables"),
        (b'token = "secret"\n', r"token is not one of the tables"),
        (b"client = 1\n", r"client is no table"),
        (b"[client\n", r"is no settings file"),
        (b"\xff\xfe", r"is no settings file"),
    ],
)
def test_what_nobody_reads_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_bytes(content)
    with pytest.raises(BadSetting, match=why):
        settings_table(file, "client")


def test_a_file_that_is_named_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="there is no settings file"):
        settings_table(tmp_path / "nowhere.toml", "client")
    with pytest.raises(BadSetting, match="cannot read"):
        settings_table(tmp_path, "client")


def test_a_setting_is_found_where_the_file_makes_it(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(
        "client.token = 'a'\n\n[controller]\n# listen\nlisten = 'a:1'  # here\nlisten_x = 1\n"
        "[ controller.replicas ]  # far away\nfar = 'b:1'\n[replica]\nlisten='c:1'\n"
    )
    for table, name, line in (
        ("client", "token", 1),
        ("controller", "listen", 5),
        ("controller", "replicas", 7),
        ("replica", "listen", 10),
    ):
        assert place_of(file, table, name) == f"file {file}, line {line}"
    assert place_of(file, "controller", "far") == f"file {file}"

"""Settings: four sources, in order of strength, each value with its source; nothing unread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.settings import PartSettings, ServerSettings


class Part(ServerSettings):
    """Stands for any part that serves."""

    table: ClassVar[str] = "replica"

    name: str = "r1"
    wanted: dict[str, int] = Field(default_factory=dict)
    where: Path | None = None


class ClientPart(PartSettings):
    """Stands for the client, whose names have no part in them."""

    table: ClassVar[str] = "client"

    address: str = "here"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_value_is_from_the_strongest_source_that_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("antiphon.toml").write_text(
        '[replica]\nname = "f"\ntoken = "f"\ntls_ca = "f"\n[replica.wanted]\na = 1\n'
    )
    monkeypatch.setenv("ANTIPHON_TOKEN", "shared")
    monkeypatch.setenv("ANTIPHON_TLS_KEY", "shared")
    monkeypatch.setenv("ANTIPHON_REPLICA_TLS_KEY", "own")
    part = Part.load(None, {"name": "flag", "where": None})
    assert (part.name, part.source_of("name")) == ("flag", "flag")
    assert (part.secret, part.source_of("token")) == ("shared", "environment")
    assert (part.tls_key, part.source_of("tls_key")) == (Path("own"), "environment")
    assert (part.wanted, part.source_of("wanted")) == ({"a": 1}, "file antiphon.toml")
    assert (part.where, part.source_of("where")) == (None, "default")


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("ANTIPHON_TOKN", "ANTIPHON_TOKN is no setting; did you mean ANTIPHON_TOKEN?"),
        ("ANTIPHON_REPLICA_NAM", "did you mean ANTIPHON_REPLICA_NAME?"),
        ("antiphon_replica_xyzzy", "antiphon_replica_xyzzy is no setting$"),
        ("ANTIPHON_NAME", "ANTIPHON_NAME is no setting"),
    ],
)
def test_a_variable_that_nobody_reads_is_refused(
    variable: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(InvalidArgument, match=why):
        Part.load(None, {})


def test_variables_of_other_parts_are_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONTROLLER_LISEN", "x")
    monkeypatch.setenv("ANTIPHON_ADDRESS", "there")
    assert Part.load(None, {}).name == "r1"
    monkeypatch.setenv("ANTIPHON_REPLICA_NAME", "r2")
    assert ClientPart.load(None, {}).address == "there"
    assert Part.load(None, {}).name == "r2"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"wanted": 3}, r"setting wanted \(from: flag\)"),
        ({"where": ""}, r"setting where \(from: flag\): .*it is empty; leave it out for none"),
        ({"token": ""}, r"setting token \(from: flag\): .*it is empty"),
        ({"nothing": 1}, r"setting nothing \(from: flag\)"),
    ],
)
def test_a_value_that_cannot_be_names_its_setting_and_source(
    given: dict[str, object], why: str
) -> None:
    with pytest.raises(InvalidArgument, match=why):
        Part.load(None, given)


def test_a_variable_that_is_no_json_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_REPLICA_WANTED", "a=1")
    with pytest.raises(InvalidArgument, match=r"setting wanted \(from: environment\): .*no JSON"):
        Part.load(None, {})


@pytest.mark.parametrize("token", ["two\nlines", "caf\u00e9", "\x7f"])
def test_a_token_that_no_header_can_carry_is_refused_unshown(token: str) -> None:
    part = Part.load(None, {"token": token})
    for security in (part.client_security, part.server_security):
        with pytest.raises(InvalidArgument, match="other than printable ASCII") as caught:
            security()
        assert token not in caught.value.message


def test_a_secret_is_never_shown() -> None:
    part = Part.load(None, {"token": "hush"})
    assert part.secret == "hush"
    assert "hush" not in repr(part) + part.model_dump_json()

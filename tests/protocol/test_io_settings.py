"""Settings: four sources, in order of strength, each value with its source; nothing unread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from antiphon.protocol.io.security import CERTIFICATE_MARK, KEY_MARK
from antiphon.protocol.io.settings import PartSettings, ServerSettings, check_addresses
from antiphon.protocol.io.settings_file import BadSetting


class Part(ServerSettings):
    """Stands for any part that serves."""

    table: ClassVar[str] = "replica"

    name: str = "r1"
    listen: str = "here:1"
    wanted: dict[str, int] = Field(default_factory=dict)
    where: Path | None = None


class ClientPart(PartSettings):
    """Stands for the client, whose names have no part in them."""

    table: ClassVar[str] = "client"

    address: str = "here"


PAIR = {"tls_certificate": "pem", "tls_key": "key"}
NO_JSON = r"setting wanted \(from: environment ANTIPHON_REPLICA_WANTED\): .*in JSON"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_value_is_from_the_strongest_source_that_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("antiphon.toml").write_text(
        '[replica]\nname = "f"\ntoken = "f"\n[replica.wanted]\na = 1\n'
    )
    Path("own").write_bytes(CERTIFICATE_MARK)
    monkeypatch.setenv("ANTIPHON_TOKEN", "shared")
    monkeypatch.setenv("ANTIPHON_TLS_CA", "absent")
    monkeypatch.setenv("ANTIPHON_REPLICA_TLS_CA", "own")
    part = Part.load(None, {"name": "flag", "where": None})
    assert (part.name, part.source_of("name")) == ("flag", "flag --name")
    assert (part.secret, part.source_of("token")) == ("shared", "environment ANTIPHON_TOKEN")
    assert part.tls_ca == Path("own")
    assert part.source_of("tls_ca") == "environment ANTIPHON_REPLICA_TLS_CA"
    assert (part.wanted, part.source_of("wanted")) == ({"a": 1}, "file antiphon.toml, line 4")
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
    with pytest.raises(BadSetting, match=why):
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
        ({"wanted": 3}, r"setting wanted \(from: flag --wanted\): .* not 3$"),
        (
            {"where": ""},
            r"setting where \(from: flag --where\): it is empty; leave it out",
        ),
        ({"token": ""}, r"setting token \(from: flag --token\): it is empty"),
        ({"wher": 1}, r"setting wher \(from: flag --wher\): .*no such .*; did you mean where\?"),
        ({"listen": ":"}, r"setting listen \(from: flag --listen\): not HOST:PORT or unix:PATH: :"),
        ({"listen": "unix:"}, r"setting listen .*: the path of a socket has 1 to"),
        ({"tls_ca": "absent"}, r"setting tls_ca \(from: flag --tls-ca\): cannot read absent: No"),
        ({"tls_key": "text"}, r"setting tls_key .*: the certificate's key is no private key"),
        ({"tls_certificate": "pem"}, r"setting tls_certificate .*: it needs tls_key"),
        ({"tls_key": "key"}, r"setting tls_key .*: it needs tls_certificate"),
        (PAIR, r"setting tls_certificate .*: it needs tls_ca"),
        ({"tls_client_ca": "pem"}, r"setting tls_client_ca .*: it needs tls_certificate"),
    ],
)
def test_a_value_that_cannot_be_names_its_setting_and_source(
    given: dict[str, object], why: str
) -> None:
    for name, content in (("text", b"text"), ("pem", CERTIFICATE_MARK), ("key", KEY_MARK)):
        Path(name).write_bytes(content)
    with pytest.raises(BadSetting, match=why):
        Part.load(None, given)


@pytest.mark.parametrize("address", [":", " , ", "here", "here:", "127.0.0.1:0", "h:70000"])
def test_an_address_where_nobody_can_be_is_no_setting(address: str) -> None:
    with pytest.raises(ValueError, match=r"no controller|not HOST:PORT|port 0"):
        check_addresses(address)
    assert check_addresses("a:1, unix:/b") == "a:1, unix:/b"


def test_a_variable_that_is_no_json_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_REPLICA_WANTED", "a=1")
    with pytest.raises(BadSetting, match=NO_JSON):
        Part.load(None, {})


@pytest.mark.parametrize("token", ["two\nlines", "caf\u00e9", "\x7f"])
def test_a_token_that_no_header_can_carry_is_refused_unshown(token: str) -> None:
    with pytest.raises(BadSetting, match="other than printable ASCII") as caught:
        Part.load(None, {"token": token})
    assert token not in caught.value.message


def test_a_secret_is_never_shown() -> None:
    part = Part.load(None, {"token": "hush"})
    assert part.secret == "hush"
    assert "hush" not in repr(part) + part.model_dump_json()

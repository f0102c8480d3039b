"""Settings of the client's commands, and `antiphon config show` for every part."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from antiphon.cli import output
from antiphon.client import DEFAULT_ADDRESS, Tls
from antiphon.protocol.io.settings import CLIENT, CLIENT_NAMES, PartSettings, check_addresses


class ClientSettings(PartSettings):
    """Where the controller is and how to prove who we are. In the file: the table `[client]`."""

    table: ClassVar[str] = CLIENT

    address: str = DEFAULT_ADDRESS

    @field_validator("address")
    @classmethod
    def _are_somewhere(cls, value: str) -> str:
        return check_addresses(value)

    @property
    def tls(self) -> Tls | None:
        if self.tls_ca is None:
            return None
        mine = (self.tls_certificate, self.tls_key)
        certificate, key = (None if path is None else str(path) for path in mine)
        return Tls(ca=str(self.tls_ca), certificate=certificate, key=key)


assert set(ClientSettings.model_fields) == set(CLIENT_NAMES), "other parts know its variables"


def client_settings(config: str | None, **flags: Any) -> ClientSettings:
    """As `PartSettings.load`."""
    return ClientSettings.load(config, flags)


def show(config: str | None, *, as_json: bool) -> None:
    """Every part's settings as they hold here, each with where it is from; secrets are only said
    to be there."""
    # Every command of a client has its settings from here, and wants nobody else's.
    from antiphon.controller.io.config import load_config as load_controller_config
    from antiphon.replica.io.config import load_config as load_replica_config

    parts: tuple[PartSettings, ...] = (
        client_settings(config),
        load_controller_config(config),
        load_replica_config(config),
    )
    found = {
        part.table: {
            name: {"value": value, "source": part.source_of(name)}
            for name, value in part.model_dump(mode="json").items()
        }
        for part in parts
    }
    if as_json:
        output.print_json(found)
        return
    rows = [
        (part, name, setting["value"], setting["source"])
        for part, settings in found.items()
        for name, setting in settings.items()
    ]
    output.print_rows(("part", "setting", "value", "source"), rows)

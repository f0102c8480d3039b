"""Settings of the client's commands, and `antiphon config show` for every part.

Flags win over `ANTIPHON_*` in the environment, that over the TOML file, that over the defaults.
"""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from antiphon.cli import output
from antiphon.client import DEFAULT_ADDRESS, Tls
from antiphon.controller.io.config import load_config as load_controller_config
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.settings_file import settings_table
from antiphon.replica.io.config import load_config as load_replica_config


class ClientSettings(BaseSettings):
    """Where the controller is and how to prove who we are. In the file: the table `[client]`."""

    model_config = SettingsConfigDict(env_prefix="ANTIPHON_", extra="forbid")

    address: str = DEFAULT_ADDRESS
    token: SecretStr | None = None
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None

    @property
    def secret(self) -> str | None:
        return self.token.get_secret_value() if self.token is not None else None

    @property
    def tls(self) -> Tls | None:
        if self.tls_ca is None:
            return None
        return Tls(ca=self.tls_ca, certificate=self.tls_certificate, key=self.tls_key)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `client_settings` has merged them already


def client_settings(config: str | None, **flags: Any) -> ClientSettings:
    """The settings with the flags that were given (None: not given).

    Raises:
        InvalidArgument: the file is missing though named, is no TOML, or a value is not valid.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    environment = EnvSettingsSource(ClientSettings)()
    try:
        return ClientSettings(**{**settings_table(config, "client"), **environment, **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidArgument(f"setting {name}: {first['msg']}", name=name) from error


def show(config: str | None, *, as_json: bool) -> None:
    """Every part's settings as they hold here; secrets are only said to be there."""
    parts: dict[str, BaseSettings] = {
        "client": client_settings(config),
        "controller": load_controller_config(config),
        "replica": load_replica_config(config),
    }
    found = {name: part.model_dump(mode="json") for name, part in parts.items()}
    if as_json:
        output.print_json(found)
        return
    rows = [(part, name, value) for part, values in found.items() for name, value in values.items()]
    output.print_rows(("part", "setting", "value"), rows)

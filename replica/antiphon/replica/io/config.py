"""The settings of a replica: flags, over `ANTIPHON_REPLICA_*`, over the TOML file, over defaults.

The token and the TLS files are shared with other parts of an installation, and may be given
without `REPLICA_` as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.security import ClientSecurity, ServerSecurity
from antiphon.protocol.io.settings_file import settings_table

TABLE: Final = "replica"


def _shared(name: str) -> Any:
    """A setting that the whole installation may share."""
    return Field(
        default=None,
        validation_alias=AliasChoices(name, f"ANTIPHON_REPLICA_{name}", f"ANTIPHON_{name}"),
    )


class ReplicaConfig(BaseSettings):
    """In the file: the table `[replica]`."""

    model_config = SettingsConfigDict(
        env_prefix="ANTIPHON_REPLICA_", extra="forbid", frozen=True, populate_by_name=True
    )

    name: str = Field(default="r1", min_length=1)
    listen: str = "127.0.0.1:6871"
    data: Path | None = None  # None: antiphon-data/replicas/NAME
    controller: str = "127.0.0.1:6870"
    token: SecretStr | None = _shared("token")
    tls_ca: Path | None = _shared("tls_ca")
    tls_certificate: Path | None = _shared("tls_certificate")
    tls_key: Path | None = _shared("tls_key")
    watch_stdin: bool = False  # exit when stdin closes: for a parent that may be killed
    log: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def directory(self) -> Path:
        return self.data or Path("antiphon-data") / "replicas" / self.name

    def server_security(self) -> ServerSecurity:
        """Raises InvalidArgument: a file that cannot be read."""
        return ServerSecurity(
            certificate=_read(self.tls_certificate),
            key=_read(self.tls_key),
            authority=_read(self.tls_ca) if self.tls_certificate is not None else None,
            tokens=() if self.token is None else (self.token.get_secret_value(),),
        )

    def client_security(self) -> ClientSecurity:
        """Raises InvalidArgument: a file that cannot be read."""
        return ClientSecurity(
            authority=_read(self.tls_ca),
            certificate=_read(self.tls_certificate),
            key=_read(self.tls_key),
            token=None if self.token is None else self.token.get_secret_value(),
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource), "flags and file come as arguments"
        flags = init_settings.init_kwargs.get("flags", {})
        table = init_settings.init_kwargs.get("table", {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=flags),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=table),
        )


def load_config(file: str | Path | None = None, **flags: Any) -> ReplicaConfig:
    """The settings; flags that are None were not given.

    Raises:
        InvalidArgument: the file is missing though named, is no TOML, or a value is not valid.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        # Both go through the sources above, which order them around the environment.
        return ReplicaConfig(flags=given, table=settings_table(file, TABLE))  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidArgument(f"setting {name}: {first['msg']}", name=name) from error


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {error.strerror}", path=str(path)) from error

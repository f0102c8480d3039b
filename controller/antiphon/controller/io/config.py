"""The settings of a controller: flags, over `ANTIPHON_CONTROLLER_*`, over the TOML file, over
defaults.

The token and the TLS files are shared with other parts of an installation, and may be given
without `CONTROLLER_` as well.
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
from antiphon.protocol.limits import REPLICAS_MAX, RETAIN_MS

TABLE: Final = "controller"


def _shared(name: str) -> Any:
    """A setting that the whole installation may share."""
    return Field(
        default=None,
        validation_alias=AliasChoices(name, f"ANTIPHON_CONTROLLER_{name}", f"ANTIPHON_{name}"),
    )


class ControllerConfig(BaseSettings):
    """In the file: the table `[controller]`."""

    model_config = SettingsConfigDict(
        env_prefix="ANTIPHON_CONTROLLER_", extra="forbid", frozen=True, populate_by_name=True
    )

    instance: str = Field(default="main", min_length=1)
    listen: str = "127.0.0.1:6870"
    data: Path = Path("antiphon-data")
    # How many replicas to start on this machine: r1, r2, ...
    local_replicas: int = Field(default=0, ge=0, le=REPLICAS_MAX)
    # Replicas that somebody else runs: name -> address.
    replicas: dict[str, str] = Field(default_factory=dict)
    # What starts a local replica, before its options. Empty: this program's own.
    replica_command: tuple[str, ...] = ()
    token: SecretStr | None = _shared("token")
    tls_ca: Path | None = _shared("tls_ca")
    tls_certificate: Path | None = _shared("tls_certificate")
    tls_key: Path | None = _shared("tls_key")
    read_only: bool = False  # replicas are never allowed to write
    retain_ms: int = Field(default=RETAIN_MS, ge=0)  # how far reads may lie behind
    hydration_limit: int = Field(default=4, ge=1)
    peek_wait_ms: int = Field(default=30_000, ge=0)
    allow_clock_jump: bool = False
    log: Literal["debug", "info", "warning", "error"] = "info"

    def server_security(self) -> ServerSecurity:
        """Raises InvalidArgument: a file that cannot be read."""
        return ServerSecurity(
            certificate=_read(self.tls_certificate),
            key=_read(self.tls_key),
            authority=_read(self.tls_ca) if self.tls_certificate is not None else None,
            tokens=() if self.token is None else (self.token.get_secret_value(),),
        )

    def client_security(self) -> ClientSecurity:
        """For the links to replicas.

        Raises:
            InvalidArgument: a file that cannot be read; or TLS with nobody to trust, which no link
                could ever use.
        """
        if self.tls_certificate is not None and self.tls_ca is None:
            raise InvalidArgument(
                "tls_certificate needs tls_ca: who signs the certificates of replicas and callers",
                name="tls_ca",
            )
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


def load_config(file: str | Path | None = None, **flags: Any) -> ControllerConfig:
    """The settings; flags that are None were not given.

    Raises:
        InvalidArgument: the file is missing though named, is no TOML, or a value is not valid.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        # Both go through the sources above, which order them around the environment.
        return ControllerConfig(flags=given, table=settings_table(file, TABLE))  # type: ignore[call-arg]
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

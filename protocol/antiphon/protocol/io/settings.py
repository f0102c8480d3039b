"""Settings of one part of an installation: their sources, in order of strength.

    flag            --retain-ms 7
    environment     ANTIPHON_CONTROLLER_RETAIN_MS=7; what all parts share: ANTIPHON_TOKEN too
    file            retain_ms = 7 in the part's table of antiphon.toml
    default         as the part declares it

Each part declares a subclass, named by its table in the file. What nobody reads is an error in
every source: a misspelt token must not leave a server open.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.security import ClientSecurity, ServerSecurity
from antiphon.protocol.io.settings_file import DEFAULT_FILE, TABLES, settings_table

PREFIX: Final = "ANTIPHON_"
SHARED: Final = ("token", "tls_ca", "tls_client_ca", "tls_certificate", "tls_key")
CLIENT: Final = "client"
CLIENT_NAMES: Final = ("address", "token", "tls_ca", "tls_certificate", "tls_key")
DEFAULT: Final = "default"


class PartSettings(BaseSettings):
    """What the parts have in common. Frozen; secrets are never shown."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str]

    token: SecretStr | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("*", mode="before")
    @classmethod
    def _is_said(cls, value: Any) -> Any:
        # An empty path is the current folder, and an empty token lets in who sends an empty token.
        if value == "":
            raise ValueError("it is empty; leave it out for none")
        return value

    @property
    def secret(self) -> str | None:
        """The token itself."""
        return None if self.token is None else self.token.get_secret_value()

    def source_of(self, name: str) -> str:
        """Where the setting's value is from, in words for people."""
        return self._sources.get(name, DEFAULT)

    @classmethod
    def load(cls, file: str | Path | None, flags: Mapping[str, Any]) -> Self:
        """The settings as they hold here; flags that are None were not given.

        Raises:
            InvalidArgument: the file is missing though named or is no TOML; a setting that nobody
                reads, or a value that it cannot have.
        """
        _refuse_unknown_variables(cls)
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for source, found in (
            (f"file {DEFAULT_FILE if file is None else file}", settings_table(file, cls.table)),
            ("environment", _environment(cls)),
            ("flag", {name: value for name, value in flags.items() if value is not None}),
        ):
            values |= found
            sources |= dict.fromkeys(found, source)
        try:
            settings = cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            place = sources.get(str(first["loc"][0]), DEFAULT) if first["loc"] else DEFAULT
            raise InvalidArgument(
                f"setting {name} (from: {place}): {first['msg']}", name=name
            ) from error
        settings._sources = sources
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load` has merged them already


class ServerSettings(PartSettings):
    """Of a part that serves others, and calls them too."""

    tls_client_ca: Path | None = None

    def server_security(self) -> ServerSecurity:
        """Raises InvalidArgument: a file that cannot be read."""
        return ServerSecurity(
            certificate=read_file(self.tls_certificate),
            key=read_file(self.tls_key),
            authority=read_file(self.tls_client_ca),
            tokens=() if self.secret is None else (self.secret,),
        )

    def client_security(self) -> ClientSecurity:
        """For what this part calls itself.

        Raises:
            InvalidArgument: a file that cannot be read; or TLS with nobody to trust, which no call
                could ever use.
        """
        if self.tls_certificate is not None and self.tls_ca is None:
            raise InvalidArgument(
                "tls_certificate needs tls_ca: who signs the certificates of those that are called",
                name="tls_ca",
            )
        return ClientSecurity(
            authority=read_file(self.tls_ca),
            certificate=read_file(self.tls_certificate),
            key=read_file(self.tls_key),
            token=self.secret,
        )


def read_file(path: Path | None) -> bytes | None:
    """Raises InvalidArgument, naming the file."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {error.strerror}", path=str(path)) from error


class _Environment(EnvSettingsSource):
    """What holds several values is JSON in its variable."""

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except ValueError as error:
            raise InvalidArgument(
                f"setting {field_name} (from: environment): it is no JSON: {error}",
                name=field_name,
            ) from error


def _prefix(table: str) -> str:
    return PREFIX if table == CLIENT else f"{PREFIX}{table.upper()}_"


def _environment(part: type[PartSettings]) -> dict[str, Any]:
    """What the environment says, the part's own name before the shared one."""
    shared = _Environment(part, env_prefix=PREFIX)()
    own = _Environment(part, env_prefix=_prefix(part.table))()
    return {name: value for name, value in shared.items() if name in SHARED} | own


def _refuse_unknown_variables(part: type[PartSettings]) -> None:
    """Variables of the other parts are theirs to check."""
    own = _prefix(part.table)
    others = tuple(_prefix(table) for table in TABLES if table not in (CLIENT, part.table))
    unprefixed = {PREFIX + name.upper() for name in (*SHARED, *CLIENT_NAMES)}
    known = unprefixed | {own + name.upper() for name in part.model_fields}
    for variable in sorted(os.environ):
        name = variable.upper()
        if name.startswith(PREFIX) and not name.startswith(others) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidArgument(
                f"the environment's {variable} is no setting{hint}", name=variable
            )

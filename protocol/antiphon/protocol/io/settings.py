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
from collections.abc import Callable, Iterable, Mapping
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
from antiphon.protocol.io.channel import UNIX, check_address, split_address
from antiphon.protocol.io.security import (
    ClientSecurity,
    ServerSecurity,
    check_authority,
    check_certificate,
    check_key,
    check_token,
)
from antiphon.protocol.io.settings_file import TABLES, BadSetting, place_of, settings_table

PREFIX: Final = "ANTIPHON_"
SHARED: Final = ("token", "tls_ca", "tls_client_ca", "tls_certificate", "tls_key")
CLIENT: Final = "client"
CLIENT_NAMES: Final = ("address", "token", "tls_ca", "tls_certificate", "tls_key")
DEFAULT: Final = "default"


class PartSettings(BaseSettings):
    """What the parts have in common. Frozen; secrets are never shown."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str]
    flags: ClassVar[Mapping[str, str]] = {}  # of settings whose flag has another name

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

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _accepted(check_token, value.get_secret_value())
        return value

    @field_validator("tls_ca", "tls_client_ca", check_fields=False)
    @classmethod
    def _is_an_authority(cls, path: Path | None) -> Path | None:
        _accepted(lambda: check_authority(read_file(path)))
        return path

    @field_validator("tls_certificate")
    @classmethod
    def _is_a_certificate(cls, path: Path | None) -> Path | None:
        _accepted(lambda: check_certificate(read_file(path)))
        return path

    @field_validator("tls_key")
    @classmethod
    def _is_a_key(cls, path: Path | None) -> Path | None:
        _accepted(lambda: check_key(read_file(path)))
        return path

    @property
    def secret(self) -> str | None:
        """The token itself."""
        return None if self.token is None else self.token.get_secret_value()

    def source_of(self, name: str) -> str:
        """Where the setting's value is from, in words for people."""
        return self._sources.get(name, DEFAULT)

    def refused(self, name: str, why: str) -> BadSetting:
        """The error that this setting cannot be used, and where it was made."""
        return _refused(name, self.source_of(name), why)

    @classmethod
    def load(cls, file: str | Path | None, flags: Mapping[str, Any]) -> Self:
        """The settings as they hold here; flags that are None were not given.

        Raises:
            BadSetting: the file is missing though named or is no TOML; a setting that nobody
                reads, or a value that it cannot have.
        """
        _refuse_unknown_variables(cls)
        in_file = settings_table(file, cls.table)
        sources = {name: place_of(file, cls.table, name) for name in in_file}
        in_environment = _environment(cls)
        sources |= {name: f"environment {_variable(cls, name)}" for name in in_environment}
        given = {name: value for name, value in flags.items() if value is not None}
        sources |= {name: f"flag {cls._flag(name)}" for name in given}
        try:
            settings = cls(**(in_file | in_environment | given))
        except ValidationError as error:
            raise _first_of(error, sources, cls) from error
        settings._sources = sources
        settings._check_together()
        return settings

    @classmethod
    def _flag(cls, name: str) -> str:
        return cls.flags.get(name, f"--{name.replace('_', '-')}")

    def _check_together(self) -> None:
        """Raises BadSetting: one says nothing without another."""
        for one, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise self.refused(one, f"it needs {other}: a certificate and its key go together")
        if self.tls_certificate is not None and self.tls_ca is None:
            # No call could ever use it.
            raise self.refused(
                "tls_certificate",
                "it needs tls_ca: who signs the certificates of those that are called",
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
        return (init_settings,)  # `load` has merged them already


class ServerSettings(PartSettings):
    """Of a part that serves others, and calls them too."""

    tls_client_ca: Path | None = None

    @field_validator("listen", check_fields=False)
    @classmethod
    def _is_somewhere(cls, value: str) -> str:
        _accepted(check_address if value.startswith(UNIX) else split_address, value)
        return value

    def server_security(self) -> ServerSecurity:
        """Raises InvalidArgument: a file that can be read no more."""
        return ServerSecurity(
            certificate=read_file(self.tls_certificate),
            key=read_file(self.tls_key),
            authority=read_file(self.tls_client_ca),
            tokens=() if self.secret is None else (self.secret,),
        )

    def client_security(self) -> ClientSecurity:
        """For what this part calls itself. Raises InvalidArgument: a file that can be read no
        more."""
        return ClientSecurity(
            authority=read_file(self.tls_ca),
            certificate=read_file(self.tls_certificate),
            key=read_file(self.tls_key),
            token=self.secret,
        )

    def _check_together(self) -> None:
        super()._check_together()
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise self.refused(
                "tls_client_ca", "it needs tls_certificate: who checks callers shows its own"
            )


def check_addresses(value: str) -> str:
    """For a setting of several addresses between commas. Raises ValueError: there is none, or one
    that nobody could listen on."""
    found = [one.strip() for one in value.split(",") if one.strip()]
    if not found:
        raise ValueError("no controller is named")
    for one in found:
        _accepted(check_address, one)
    return value


def read_file(path: Path | None) -> bytes | None:
    """Raises InvalidArgument, naming the file."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {error.strerror}", path=str(path)) from error


def _accepted(check: Callable[..., object], *values: object) -> None:
    """What refuses a value everywhere refuses it here in the words of a validator."""
    try:
        check(*values)
    except InvalidArgument as error:
        raise ValueError(error.message) from None


def _refused(name: str, source: str, why: str) -> BadSetting:
    return BadSetting(f"setting {name} (from: {source}): {why}", name=name)


def _first_of(
    error: ValidationError, sources: Mapping[str, str], part: type[PartSettings]
) -> BadSetting:
    """The first of a validation's complaints, in our words."""
    first = error.errors()[0]
    name = ".".join(str(step) for step in first["loc"])
    head = str(first["loc"][0]) if first["loc"] else ""
    why = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        why = "there is no such setting" + _did_you_mean(name, part.model_fields)
    elif first["type"] != "value_error" and head != "token":
        why = f"{why}, not {first['input']!r}"
    return _refused(name, sources.get(head, DEFAULT), why)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""


class _Environment(EnvSettingsSource):
    """What holds several values is JSON in its variable."""

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except ValueError as error:
            variable = f"{self.env_prefix}{field_name}".upper()
            raise _refused(
                field_name, f"environment {variable}", f"it holds several values, in JSON: {error}"
            ) from error


def _prefix(table: str) -> str:
    return PREFIX if table == CLIENT else f"{PREFIX}{table.upper()}_"


def _environment(part: type[PartSettings]) -> dict[str, Any]:
    """What the environment says, the part's own name before the shared one."""
    shared = _Environment(part, env_prefix=PREFIX)()
    own = _Environment(part, env_prefix=_prefix(part.table))()
    return {name: value for name, value in shared.items() if name in SHARED} | own


def _variable(part: type[PartSettings], name: str) -> str:
    """Which one says it, as it is written there."""
    there = {variable.upper(): variable for variable in os.environ}
    own = f"{_prefix(part.table)}{name}".upper()
    return there[own if own in there else f"{PREFIX}{name}".upper()]


def _refuse_unknown_variables(part: type[PartSettings]) -> None:
    """Variables of the other parts are theirs to check."""
    own = _prefix(part.table)
    others = tuple(_prefix(table) for table in TABLES if table not in (CLIENT, part.table))
    unprefixed = {PREFIX + name.upper() for name in (*SHARED, *CLIENT_NAMES)}
    known = unprefixed | {own + name.upper() for name in part.model_fields}
    for variable in sorted(os.environ):
        name = variable.upper()
        if name.startswith(PREFIX) and not name.startswith(others) and name not in known:
            raise BadSetting(
                f"the environment's {variable} is no setting{_did_you_mean(name, known)}",
                name=variable,
            )

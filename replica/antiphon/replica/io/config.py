"""The settings of a replica. In the file: the table `[replica]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import check_replica_name
from antiphon.protocol.io.settings import ServerSettings, check_addresses
from antiphon.protocol.limits import WORKER_HUNG_MS


class ReplicaConfig(ServerSettings):
    """What each means: docs/configuration.md."""

    table: ClassVar[str] = "replica"

    name: str = "r1"
    listen: str = "127.0.0.1:6871"
    data: Path | None = None  # None: antiphon-data/replicas/NAME
    controller: str = "127.0.0.1:6870"
    copy_directory: Path | None = None  # None: the folder `copies` in its data
    # A worker that is silent for longer is taken for hung, and the replica ends. 0: it never is.
    worker_silence_ms_max: int = Field(default=WORKER_HUNG_MS, ge=0)
    watch_stdin: bool = False  # exit when stdin closes: for a parent that may be killed
    log: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        try:
            check_replica_name(value)
        except InvalidArgument as error:
            raise ValueError(error.message) from None
        return value

    @field_validator("controller")
    @classmethod
    def _are_somewhere(cls, value: str) -> str:
        return check_addresses(value)

    @property
    def controllers(self) -> list[str]:
        """The addresses in `controller`: of the live one, and of its standbys."""
        return [one.strip() for one in self.controller.split(",") if one.strip()]

    @property
    def directory(self) -> Path:
        return self.data or Path("antiphon-data") / "replicas" / self.name

    @property
    def copies(self) -> Path:
        """Where clients may have files written, and nowhere else."""
        return self.copy_directory or self.directory / "copies"


def load_config(file: str | Path | None = None, **flags: Any) -> ReplicaConfig:
    """As `PartSettings.load`."""
    return ReplicaConfig.load(file, flags)

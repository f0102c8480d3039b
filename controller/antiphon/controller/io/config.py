"""The settings of a controller. In the file: the table `[controller]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from antiphon.protocol.io.settings import ServerSettings
from antiphon.protocol.limits import REPLICAS_MAX, RETAIN_MS


class ControllerConfig(ServerSettings):
    """What each means: docs/configuration.md."""

    table: ClassVar[str] = "controller"

    instance: str = Field(default="main", min_length=1)
    listen: str = "127.0.0.1:6870"
    data: Path = Path("antiphon-data")
    # How many replicas to start on this machine: r1, r2, ...
    local_replicas: int = Field(default=0, ge=0, le=REPLICAS_MAX)
    # Replicas that somebody else runs: name -> address.
    replicas: dict[str, str] = Field(default_factory=dict)
    # What starts a local replica, before its options. Empty: this program's own.
    replica_command: tuple[str, ...] = ()
    copy_directory: Path | None = None  # of local replicas; None: the folder `copies` in `data`
    standby: bool = False  # follow the live controller of the data directory until promoted
    read_only: bool = False  # replicas are never allowed to write
    retain_ms: int = Field(default=RETAIN_MS, ge=0)  # how far reads may lie behind
    hydration_limit: int = Field(default=4, ge=1)
    peek_wait_ms: int = Field(default=30_000, ge=0)
    allow_clock_jump: bool = False
    log: Literal["debug", "info", "warning", "error"] = "info"


def load_config(file: str | Path | None = None, **flags: Any) -> ControllerConfig:
    """As `PartSettings.load`."""
    return ControllerConfig.load(file, flags)

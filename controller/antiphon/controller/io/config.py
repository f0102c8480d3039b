"""The settings of a controller. In the file: the table `[controller]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from antiphon.controller.engine.policy import (
    BUDGETS,
    CATCH_UP_MS_MAX,
    SYNC_STALL_MS_MAX,
    Budget,
    Policy,
)
from antiphon.history.retention import (
    LOG_AGE_MS_MAX,
    LOG_BYTES_MAX,
    LOG_COMMANDS_MAX,
    LOG_SLACK_COMMANDS,
    Bounds,
)
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import check_replica_name
from antiphon.protocol.io.channel import check_address
from antiphon.protocol.io.settings import ServerSettings
from antiphon.protocol.limits import REPLICAS_MAX, RETAIN_MS


class ControllerConfig(ServerSettings):
    """What each means: docs/configuration.md."""

    table: ClassVar[str] = "controller"
    flags: ClassVar[Mapping[str, str]] = {"local_replicas": "--replicas"}

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
    # How much of the history stays unedited for one replica, and how much for nobody.
    log_commands_max: int = Field(default=LOG_COMMANDS_MAX, ge=0)
    log_bytes_max: int = Field(default=LOG_BYTES_MAX, ge=0)
    log_age_ms_max: int = Field(default=LOG_AGE_MS_MAX, ge=0)
    log_slack_commands: int = Field(default=LOG_SLACK_COMMANDS, ge=0)
    # How long a catch-up may take, and any other sync session may stand still. 0: for ever.
    catch_up_ms_max: int = Field(default=CATCH_UP_MS_MAX, ge=0)
    sync_stall_ms_max: int = Field(default=SYNC_STALL_MS_MAX, ge=0)
    allow_clock_jump: bool = False
    log: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("replicas")
    @classmethod
    def _are_names_and_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for name, address in value.items():
            try:
                check_replica_name(name)
                check_address(address)
            except InvalidArgument as error:
                raise ValueError(error.message) from None
        return value


def policy_of(config: ControllerConfig) -> Policy:
    """What the settings say about sync sessions and the history's log."""
    stall = config.sync_stall_ms_max
    catch_up = replace(BUDGETS[SyncDecision.CATCH_UP], duration_ms_max=config.catch_up_ms_max)
    return Policy(
        budgets={
            **BUDGETS,
            SyncDecision.CATCH_UP: replace(catch_up, entries_max=config.log_commands_max),
            SyncDecision.RECONCILE: Budget(progress_ms_max=stall),
            SyncDecision.REBUILD: Budget(progress_ms_max=stall),
        },
        bounds=Bounds(
            entries_max=config.log_commands_max,
            bytes_max=config.log_bytes_max,
            age_ms_max=config.log_age_ms_max,
            slack_entries=config.log_slack_commands,
        ),
    )


def load_config(file: str | Path | None = None, **flags: Any) -> ControllerConfig:
    """As `PartSettings.load`."""
    return ControllerConfig.load(file, flags)

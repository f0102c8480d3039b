"""What can be configured while an instance runs: names, bounds, what is in force.

A setting travels as `UpdateConfiguration`, numbered: durable before anybody follows it, the same on
every replica, there again after a restart. Some are the controller's own, most replicas' too; each
ignores those of the other. `default` takes a setting back to what it would be without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from antiphon.controller.instance.state import InstanceConfig
from antiphon.protocol.command import DEFAULT_SETTING, UpdateConfiguration
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.limits import (
    CHUNK_BYTES,
    DATAFLOWS_MAX,
    MESSAGE_BYTES_MAX,
    PEEK_BYTES_MAX,
    PEEK_INLINE_BYTES_MAX,
    STATE_BYTES_MAX,
)

DAY_MS: Final = 86_400_000
VERSION_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An integer between bounds. `default` None: what the controller was started with."""

    minimum: int
    maximum: int
    default: int | None = None


SETTINGS: Final[Mapping[str, Setting]] = {
    "hydration_limit": Setting(minimum=1, maximum=DATAFLOWS_MAX),
    "inline_bytes_max": Setting(
        minimum=1, maximum=16 * CHUNK_BYTES, default=PEEK_INLINE_BYTES_MAX
    ),
    "peek_wait_ms": Setting(minimum=0, maximum=DAY_MS),
    "rebuild_from_peers": Setting(minimum=0, maximum=2),
    "replica_gone_ms": Setting(minimum=1_000, maximum=7 * DAY_MS),
    "result_bytes_max": Setting(minimum=1, maximum=PEEK_BYTES_MAX, default=PEEK_BYTES_MAX),
    "retain_ms": Setting(minimum=0, maximum=7 * DAY_MS),
    "state_bytes_max": Setting(minimum=1, maximum=STATE_BYTES_MAX, default=STATE_BYTES_MAX),
    "subscribe_bytes_max": Setting(
        minimum=1, maximum=MESSAGE_BYTES_MAX // 2, default=MESSAGE_BYTES_MAX // 2
    ),
    # The lowest protocol version that replicas may speak. It is pinned: it never goes down again.
    "version_floor": Setting(minimum=1, maximum=VERSION_MAX),
}  # fmt: skip
PINNED: Final = frozenset({"version_floor"})


def checked(name: str, value: str) -> str:
    """The value as it is written into the history.

    Raises:
        InvalidArgument: there is no such setting, or it cannot have that value.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        known = ", ".join(SETTINGS)
        raise InvalidArgument(f'there is no setting "{name}"; there are {known}', name=name)
    if value == DEFAULT_SETTING:
        return value
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise InvalidArgument(f"{name} is a whole number, not {value!r}", name=name)
    number = int(value)
    if not setting.minimum <= number <= setting.maximum:
        raise InvalidArgument(
            f"{name} is between {setting.minimum} and {setting.maximum}, not {number}", name=name
        )
    return str(number)


def check_floor(config: InstanceConfig, values: Mapping[str, str]) -> None:
    """
    Raises:
        InvalidArgument: it would go down, or above what this controller itself speaks, and then no
            replica could be spoken to any more.
    """
    value = values.get("version_floor")
    if value is None:
        return
    floor = 1 if value == DEFAULT_SETTING else int(value)
    if floor < config.version_floor:
        raise InvalidArgument(
            f"version_floor is pinned at {config.version_floor} and never goes down",
            name="version_floor",
        )
    if floor > config.versions.max:
        raise InvalidArgument(
            f"version_floor is at most {config.versions.max}, which this controller speaks",
            name="version_floor",
        )


def merged(before: UpdateConfiguration | None, values: Mapping[str, str]) -> UpdateConfiguration:
    """Later values win, as in a reduced history."""
    return UpdateConfiguration(values={**(before.values if before is not None else {}), **values})


def in_force(given: InstanceConfig, update: UpdateConfiguration | None) -> InstanceConfig:
    """What the controller goes by: what it was started with, under what is configured. What this
    version does not know, or could not have accepted, stays as it was given."""
    if update is None:
        return given
    found: dict[str, int] = {}
    for name, value in update.values.items():
        setting = SETTINGS.get(name)
        if setting is not None and setting.default is None and value.isdecimal():
            found[name] = int(value)
    return replace(given, **found)  # type: ignore[arg-type]


def values_in_force(given: InstanceConfig, update: UpdateConfiguration | None) -> dict[str, str]:
    """Every setting with its value, for people."""
    configured = {} if update is None else update.values
    config = in_force(given, update)
    values: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        value = configured.get(name, DEFAULT_SETTING)
        if setting.default is None:
            values[name] = str(getattr(config, name))
        else:
            values[name] = str(setting.default) if value == DEFAULT_SETTING else value
    return values

"""What the controller configures on a worker. Takes effect at once, on everything that waits.

Keys that this version does not know are kept and ignored: a newer controller may send them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from antiphon.protocol.command import DEFAULT_SETTING
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.limits import (
    MESSAGE_BYTES_MAX,
    PEEK_BYTES_MAX,
    PEEK_INLINE_BYTES_MAX,
    STATE_BYTES_MAX,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The values in force."""

    # A peek's answer beyond this is refused, whatever the peek itself allows.
    result_bytes_max: int = PEEK_BYTES_MAX
    # A larger answer is stashed: it must not hold up the frontiers behind it in the session.
    inline_bytes_max: int = PEEK_INLINE_BYTES_MAX
    # One batch travels in one message, with room for its frame and for other responses.
    subscribe_bytes_max: int = MESSAGE_BYTES_MAX // 2
    # A replica whose dataflows hold as much refuses new ones, rather than die with all of them.
    state_bytes_max: int = STATE_BYTES_MAX

    def updated(self, values: Mapping[str, str]) -> Configuration:
        """With `values` in force; absent keys keep theirs, `default` takes one back.

        Raises:
            RemoteProtocolError: a value that is no positive number.
        """
        changes: dict[str, int] = {}
        for name, default in DEFAULTS.items():
            value = values.get(name)
            if value is not None:
                changes[name] = default if value == DEFAULT_SETTING else _positive(name, value)
        return replace(self, **changes)


DEFAULTS: Final[Mapping[str, int]] = asdict(Configuration())


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise RemoteProtocolError(f"configuration {name} = {text!r} is no positive number")
    return int(text)

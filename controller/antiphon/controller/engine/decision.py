"""What a replica is found to need when it connects, and why: the values that `reconnect` gives.

Every decision has a reason in words that logs, CLI and console repeat.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import NO_POSITION, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Open a session of this kind. `code` names the row of the table that chose it."""

    sync: SyncDecision
    protocol_version: int
    reason: str
    code: str = ""
    start: Position = NO_POSITION  # commands after it are sent
    target: Position = NO_POSITION  # frozen: the head at the moment of the decision
    # State counts as the same only if its content digest is: its commands are not those of ours.
    verify_content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Open none. `code` is that of the error which people see."""

    code: str
    reason: str


Decision = Sync | Refusal

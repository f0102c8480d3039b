"""The history of one check's instance: positions that only grow, and the digest chain over them."""

from __future__ import annotations

from typing import Final

from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import (
    AllowCompaction,
    Command,
    CreateDataflow,
    InitializationComplete,
    Sent,
    UpdateConfiguration,
    is_numbered,
)
from antiphon.protocol.ids import NO_POSITION, HistoryId, Position

# The kinds of numbered commands, as the digest chain names them.
KINDS: Final[dict[type[Command], str]] = {
    UpdateConfiguration: "update_configuration",
    CreateDataflow: "create_dataflow",
    AllowCompaction: "allow_compaction",
}


class ScriptedHistory:
    """Numbers commands as they are sent. A full set gets fresh positions each time: to a replica
    it looks like a history whose earlier positions were reduced away."""

    def __init__(self, history_id: HistoryId) -> None:
        self.id = history_id
        self.head: Position = NO_POSITION
        self.digest = EMPTY_DIGEST

    def place(self, command: Command) -> Sent:
        """The command at the next position, or at none if it is not numbered."""
        if not is_numbered(command):
            return Sent(NO_POSITION, command)
        self.head = Position(self.head + 1)
        payload = command_to_bytes(command)
        self.digest = extend(self.digest, self.head, KINDS[type(command)], payload)
        return Sent(self.head, command)

    def complete(self) -> Sent:
        """InitializationComplete at the head."""
        return Sent(
            NO_POSITION,
            InitializationComplete(head_position=self.head, head_digest=self.digest),
        )

"""What both ends of one session stream know: the stage, the position, the ledger.

`check` says why a command is illegal and changes nothing; `advance` records one that passed. The
two sessions differ only in whose fault an illegal message is.

Positions. A suffix begins right after the position that Hello named, and has no gaps. A full set
ascends, with gaps where the history was reduced. `InitializationComplete` names the head: a suffix
has reached it, a full set adopts it. From there on numbered commands follow one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.protocol.command import (
    AllowWrites,
    CancelPeek,
    CommandSet,
    CreateInstance,
    Hello,
    InitializationComplete,
    Peek,
    Sent,
    is_numbered,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import NO_POSITION, Position
from antiphon.protocol.ledger import Ledger
from antiphon.protocol.response import Response, Status
from antiphon.protocol.stage import Stage, may_respond, next_stage


@dataclass(slots=True)
class Exchange:
    """One stream's state. `facts` are those that its Hello was made from."""

    facts: ReplicaFacts
    stage: Stage = Stage.GREETING
    hello: Hello | None = None
    position: Position = NO_POSITION  # of the last numbered command
    digest: bytes = b""  # of the history at the head, once InitializationComplete named it
    ledger: Ledger = field(default_factory=Ledger)

    def check(self, sent: Sent) -> str | None:
        """Why the command is illegal now, or None."""
        command = sent.command
        if next_stage(self.stage, type(command)) is None:
            return f"{type(command).__name__} in stage {self.stage.name}"
        if isinstance(command, Peek | CancelPeek):  # most of all commands
            return _unnumbered(sent) or self.ledger.check_command(command)
        match command:
            case Hello() | AllowWrites():
                return _unnumbered(sent)
            case CreateInstance(instance_id=instance):
                assert self.hello is not None, "the table demands Hello first"
                if instance != self.hello.instance_id:
                    return f"instance {instance} after a Hello of {self.hello.instance_id}"
                return _unnumbered(sent)
            case InitializationComplete():
                return self._check_head(command) or _unnumbered(sent)
            case _:
                return self._check_position(sent) or self.ledger.check_command(command)

    def advance(self, sent: Sent) -> None:
        """Record a command for which `check` found nothing."""
        command = sent.command
        following = next_stage(self.stage, type(command))
        assert following is not None, f"{type(command).__name__} in stage {self.stage.name}"
        self.stage = following
        if isinstance(command, Peek | CancelPeek):
            self.ledger.note_command(command)
            return
        match command:
            case Hello():
                self._greet(command)
            case InitializationComplete():
                self.position, self.digest = command.head_position, command.head_digest
            case CreateInstance() | AllowWrites():
                pass
            case _:
                self.position = sent.position or self.position
                self.ledger.note_command(command)

    def check_response(self, response: Response) -> str | None:
        """Why the response is illegal now, or None."""
        if not may_respond(self.stage, type(response)):
            return f"{type(response).__name__} in stage {self.stage.name}"
        if isinstance(response, Status) and response.stage > self.stage:
            return f"a status of stage {response.stage.name} in stage {self.stage.name}"
        return self.ledger.check_response(response)

    def _greet(self, hello: Hello) -> None:
        self.hello = hello
        if hello.command_set is CommandSet.SUFFIX:
            self.position = hello.expected_position
            self.ledger.adopt(
                (export, dataflow.since)
                for dataflow in self.facts.dataflows
                for export in dataflow.exports
            )

    def _check_position(self, sent: Sent) -> str | None:
        if not is_numbered(sent.command):
            return _unnumbered(sent)
        if sent.position == NO_POSITION:
            return f"{type(sent.command).__name__} without a position"
        assert self.hello is not None, "the table demands Hello first"
        full = self.hello.command_set is CommandSet.FULL
        if full and self.stage is Stage.INITIALIZATION:
            ascends = sent.position > self.position
            return None if ascends else f"position {sent.position} after {self.position}"
        follows = sent.position == self.position + 1
        return None if follows else f"position {sent.position} right after {self.position}"

    def _check_head(self, command: InitializationComplete) -> str | None:
        assert self.hello is not None, "the table demands Hello first"
        head = command.head_position
        if self.hello.command_set is CommandSet.SUFFIX and head != self.position:
            return f"the suffix ends at {self.position}, not at the head {head}"
        return f"position {self.position} is past the head {head}" if head < self.position else None


def _unnumbered(sent: Sent) -> str | None:
    if sent.position == NO_POSITION:
        return None
    return f"{type(sent.command).__name__} at position {sent.position}"

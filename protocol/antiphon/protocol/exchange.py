"""What both ends of one session stream know: the stage, the position, the ledger.

A message is taken, or it is illegal, for a reason, and changes nothing. The two sessions differ
only in whose fault that is.

Positions. A suffix begins right after the position that Hello named, and has no gaps. A full set
ascends, with gaps where the history was reduced. `InitializationComplete` names the head: a suffix
has reached it, a full set adopts it. From there on numbered commands follow one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from antiphon.protocol.command import (
    AllowWrites,
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
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import may_respond, next_stage


@dataclass(slots=True)
class Exchange:
    """One stream's state. `facts` are those that its Hello was made from."""

    facts: ReplicaFacts
    stage: Stage = Stage.GREETING
    hello: Hello | None = None
    position: Position = NO_POSITION  # of the last numbered command
    digest: bytes = b""  # of the history at the head, once InitializationComplete named it
    ledger: Ledger = field(default_factory=Ledger)
    screen: Callable[[Hello], None] = lambda hello: None  # raises what a Hello is refused with

    def take(self, sent: Sent) -> str | None:
        """Record a command, or why it is illegal now.

        Raises:
            ComputeError: `screen` refuses a Hello.
        """
        following = next_stage(self.stage, sent.kind)
        if following is None:
            return f"{sent.kind.__name__} in stage {self.stage.name}"
        if sent.kind is Peek:  # most of all commands, and not to be opened for this
            assert following is self.stage, "a peek moves no stage"
            assert sent.peek_id is not None, "a peek without an id"
            return _unnumbered(sent) or self.ledger.take_peek(sent.peek_id)
        problem = self._take(sent)
        if problem is None:
            self.stage = following
        return problem

    def _take(self, sent: Sent) -> str | None:
        """`take` of a command that the stage allows, but for the stage itself."""
        command = sent.command
        problem = self._check_place(sent)
        if problem is not None:
            return problem
        match command:
            case Hello():
                self.screen(command)
                self._greet(command)
            case CreateInstance(instance_id=instance):
                assert self.hello is not None, "the table demands Hello first"
                if instance != self.hello.instance_id:
                    return f"instance {instance} after a Hello of {self.hello.instance_id}"
            case InitializationComplete():
                self.position, self.digest = command.head_position, command.head_digest
            case AllowWrites():
                pass
            case _:
                problem = self.ledger.take_command(command)
                if problem is not None:
                    return problem
                self.position = sent.position or self.position
        return None

    def take_response(self, response: Response) -> str | None:
        """Record a response, or why it is illegal now."""
        if not may_respond(self.stage, type(response)):
            return f"{type(response).__name__} in stage {self.stage.name}"
        if isinstance(response, Status) and response.stage > self.stage:
            return f"a status of stage {response.stage.name} in stage {self.stage.name}"
        return self.ledger.take_response(response)

    def _greet(self, hello: Hello) -> None:
        self.hello = hello
        if hello.command_set is CommandSet.SUFFIX:
            self.position = hello.expected_position
            self.ledger.adopt(
                (export, dataflow.since)
                for dataflow in self.facts.dataflows
                for export in dataflow.exports
            )

    def _check_place(self, sent: Sent) -> str | None:
        command = sent.command
        if isinstance(command, InitializationComplete):
            return self._check_head(command) or _unnumbered(sent)
        if not is_numbered(command):
            return _unnumbered(sent)
        if sent.position == NO_POSITION:
            return f"{sent.kind.__name__} without a position"
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
    return f"{sent.kind.__name__} at position {sent.position}"

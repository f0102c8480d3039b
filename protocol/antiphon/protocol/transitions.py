"""Stages of a session: which command may come when. All transitions live here and nowhere else.

Theory of operation
-------------------
A session is one stream between one controller and one replica. Its stage is the replica's: the
replica enforces the table below, the controller walks the same table over what it sends and
asserts it. Because each direction is reliable and in order, the controller's stage is never behind
the replica's. This module does not know which side asks.

    GREETING         the stream is open and nobody has said who speaks
    CREATION         Hello was checked: epoch, claim, version, identity, facts
    INITIALIZATION   the instance is the right one; commands are collected, none takes effect
    READ_ONLY        they took effect; answers are due; nothing outside the replica is written
    READ_WRITE       materialized views may be written to the store
    CLOSED           the stream has ended; nothing is legal

Two rules make the table complete:

1. A pair that is not in the table is illegal. It raises a protocol error, the stream is closed, and
   nothing of the offending command has taken effect. There is no default arm.
2. A transition never goes back. The one way out of READ_WRITE is the end of the stream; a new
   connection starts at GREETING and has to be allowed to write again.

What a replica may say is a table too, by stage. Before INITIALIZATION it says nothing, so that a
controller which is refused has caused no traffic that could be mistaken for state. During
INITIALIZATION it says only that it is alive: everything else would speak about commands that have
not taken effect. The sets only grow, so a response that was legal when the replica sent it is
still legal when the controller, further on by then, receives it.

What does not fit the table
---------------------------
Whether a particular command is legal also depends on what went before: positions ascend, a `Hello`
holds against the facts, a `Schedule` names a collection that was created. Those rules belong to
`greeting`, `exchange` and `ledger`, which the two ends in `session` share. The end of the stream is
no command; it moves any stage to CLOSED.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.protocol.command import (
    COMMANDS,
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CreateDataflow,
    CreateInstance,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.response import (
    CopyToResponse,
    Draining,
    Dropped,
    Frontiers,
    PeekResponse,
    RebuildResult,
    Response,
    Status,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage


def _staying(stage: Stage, *commands: type[Command]) -> dict[type[Command], Stage]:
    return dict.fromkeys(commands, stage)


# What changes the replica's work or its live state, without changing the stage.
WORK: Final[tuple[type[Command], ...]] = (
    UpdateConfiguration,
    CreateDataflow,
    AllowCompaction,
    Peek,
    CancelPeek,
    Schedule,
)
# A rebuild starts from commands that took effect; several may follow one another in a session.
REBUILD: Final[tuple[type[Command], ...]] = (StartRebuild, CancelRebuild, AcceptRebuild)

TRANSITIONS: Final[Mapping[Stage, Mapping[type[Command], Stage]]] = MappingProxyType(
    {
        Stage.GREETING: {Hello: Stage.CREATION},
        Stage.CREATION: {CreateInstance: Stage.INITIALIZATION},
        Stage.INITIALIZATION: {
            **_staying(Stage.INITIALIZATION, *WORK),
            InitializationComplete: Stage.READ_ONLY,
        },
        Stage.READ_ONLY: {
            **_staying(Stage.READ_ONLY, *WORK, *REBUILD),
            AllowWrites: Stage.READ_WRITE,
        },
        # Repeating AllowWrites changes nothing; nothing but the end of the stream takes it back.
        Stage.READ_WRITE: _staying(Stage.READ_WRITE, *WORK, *REBUILD, AllowWrites),
        Stage.CLOSED: {},
    }
)
assert set(TRANSITIONS) == set(Stage), "every stage has a row"
assert {command for row in TRANSITIONS.values() for command in row} == set(COMMANDS), (
    "every command is legal somewhere"
)
assert all(
    stage <= following for stage, row in TRANSITIONS.items() for following in row.values()
), "no transition goes back"


def allowed(stage: Stage, command: type[Command]) -> bool:
    """Whether a command of this type may come in this stage."""
    return command in TRANSITIONS[stage]


def next_stage(stage: Stage, command: type[Command]) -> Stage | None:
    """The stage after a command of this type; None: it is illegal in this stage."""
    return TRANSITIONS[stage].get(command)


def may_respond(stage: Stage, response: type[Response]) -> bool:
    """Whether a replica may send a response of this type in this stage."""
    return response in RESPONSES_ALLOWED[stage]


ALIVE: Final[frozenset[type[Response]]] = frozenset({Status, Draining})
ANSWERS: Final = ALIVE | {
    Frontiers,
    PeekResponse,
    SubscribeResponse,
    CopyToResponse,
    Dropped,
    RebuildResult,
}
RESPONSES_ALLOWED: Final[Mapping[Stage, frozenset[type[Response]]]] = MappingProxyType(
    {
        Stage.GREETING: frozenset(),
        Stage.CREATION: frozenset(),
        Stage.INITIALIZATION: ALIVE,
        Stage.READ_ONLY: ANSWERS,
        Stage.READ_WRITE: ANSWERS,
        Stage.CLOSED: frozenset(),
    }
)
assert set(RESPONSES_ALLOWED) == set(Stage), "every stage has a row"

"""Which commands belong in the history."""

from __future__ import annotations

import pytest

from antiphon.protocol.command import (
    COMMANDS,
    AllowCompaction,
    AllowWrites,
    Command,
    FramingCommand,
    Schedule,
    UpdateConfiguration,
    WorkCommand,
    is_numbered,
)
from antiphon.protocol.frontier import Frontier
from tests.protocol.scripts import T1, U1, create, drop, hello, peek, subscribe


@pytest.mark.parametrize(
    ("command", "numbered"),
    [
        (UpdateConfiguration(values={}), True),
        (create(U1), True),
        (subscribe(T1), False),
        (create(U1, T1), True),
        (drop(U1), True),
        (drop(T1), False),
        (AllowCompaction(collection=U1, frontier=Frontier(9)), False),
        (peek(), False),
        (Schedule(collection=U1), False),
        (AllowWrites(), False),
        (hello(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_durable_work_is_numbered_framing_and_live_state_are_not(
    command: Command, numbered: bool
) -> None:
    assert is_numbered(command) is numbered


def test_a_command_is_either_framing_or_work() -> None:
    framing, work = FramingCommand.__args__, WorkCommand.__args__
    assert not set(framing) & set(work)
    assert set(framing) | set(work) == set(COMMANDS)

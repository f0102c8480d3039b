"""The table of stages: the whole product, pair by pair."""

from __future__ import annotations

import itertools

import pytest

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
from antiphon.protocol.response import RESPONSES, Draining, Response, Status
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import (
    RESPONSES_ALLOWED,
    TRANSITIONS,
    allowed,
    may_respond,
    next_stage,
)
from antiphon.v1 import response_pb2

WORK = {UpdateConfiguration, CreateDataflow, AllowCompaction, Peek, CancelPeek, Schedule}
REBUILD = {StartRebuild, CancelRebuild, AcceptRebuild}

# Written anew from the specification, not from the table: a row of each stage.
EXPECTED: dict[Stage, dict[type[Command], Stage]] = {
    Stage.GREETING: {Hello: Stage.CREATION},
    Stage.CREATION: {CreateInstance: Stage.INITIALIZATION},
    Stage.INITIALIZATION: {
        **{work: Stage.INITIALIZATION for work in WORK},
        InitializationComplete: Stage.READ_ONLY,
    },
    Stage.READ_ONLY: {
        **{work: Stage.READ_ONLY for work in WORK | REBUILD},
        AllowWrites: Stage.READ_WRITE,
    },
    Stage.READ_WRITE: {work: Stage.READ_WRITE for work in WORK | REBUILD | {AllowWrites}},
    Stage.CLOSED: {},
}


@pytest.mark.parametrize(
    ("stage", "command"),
    list(itertools.product(Stage, COMMANDS)),
    ids=lambda value: value.name if isinstance(value, Stage) else value.__name__,
)
def test_every_pair_of_stage_and_command(stage: Stage, command: type[Command]) -> None:
    expected = EXPECTED[stage].get(command)
    assert next_stage(stage, command) is expected
    assert allowed(stage, command) == (expected is not None)


def test_the_table_names_nothing_but_stages_and_commands() -> None:
    assert set(TRANSITIONS) == set(Stage)
    assert {command for row in TRANSITIONS.values() for command in row} == set(COMMANDS)


def test_no_transition_goes_back() -> None:
    for stage, row in TRANSITIONS.items():
        assert all(following >= stage for following in row.values())


def test_nothing_leaves_read_write() -> None:
    assert set(TRANSITIONS[Stage.READ_WRITE].values()) == {Stage.READ_WRITE}


def test_every_stage_but_closed_is_reached_by_one_path_of_commands() -> None:
    stage, walked = Stage.GREETING, [Stage.GREETING]
    for command in (Hello, CreateInstance, InitializationComplete, AllowWrites):
        following = next_stage(stage, command)
        assert following is not None
        stage = following
        walked.append(stage)
    assert walked == [stage for stage in Stage if stage is not Stage.CLOSED]


@pytest.mark.parametrize(
    ("stage", "response"),
    list(itertools.product(Stage, RESPONSES)),
    ids=lambda value: value.name if isinstance(value, Stage) else value.__name__,
)
def test_every_pair_of_stage_and_response(stage: Stage, response: type[Response]) -> None:
    answering = stage in (Stage.READ_ONLY, Stage.READ_WRITE)
    alive = stage is Stage.INITIALIZATION and response in (Status, Draining)
    assert may_respond(stage, response) == (answering or alive)


def test_every_response_may_be_said_at_some_stage() -> None:
    assert frozenset().union(*RESPONSES_ALLOWED.values()) == set(RESPONSES)


def test_what_may_be_said_only_grows_until_the_end() -> None:
    speaking = [stage for stage in Stage if stage is not Stage.CLOSED]
    for earlier, later in itertools.pairwise(speaking):
        assert RESPONSES_ALLOWED[earlier] <= RESPONSES_ALLOWED[later]


def test_the_numbers_are_those_of_the_wire() -> None:
    wire = {name.removeprefix("STAGE_"): number for name, number in response_pb2.Stage.items()}
    del wire["UNSPECIFIED"]
    assert {stage.name: stage.value for stage in Stage} == wire

"""Hydration: a few dataflows at once, when their inputs are there, each told once."""

from __future__ import annotations

from dataclasses import replace

from antiphon.protocol.command import Command, Schedule
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.ids import CollectionId
from tests.controller.instance.machine import CONFIG, Machine, index, of_type

A, B, C = CollectionId(10), CollectionId(11), CollectionId(12)
INDEX = CollectionKind.INDEX


def schedules(commands: list[Command]) -> list[int]:
    found = (c for c in of_type(commands, Schedule) if isinstance(c, Schedule))
    return [collection for command in found for collection in command.collections]


def test_a_dataflow_waits_for_its_inputs_and_is_told_once() -> None:
    """Number 75."""
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B, on=A, kind=INDEX))
    assert schedules(machine.connect("r1")) == [A]
    machine.report("r1", A, 100)
    assert schedules(machine.take("r1")) == [B]
    machine.report("r1", A, 120)
    machine.report("r1", B, 120)
    assert schedules(machine.take("r1")) == []


def test_transient_work_does_not_wait() -> None:
    machine = Machine(replace(CONFIG, hydration_limit=1))
    machine.install(index(A))
    machine.connect("r1")
    _, collection = machine.subscribe()
    assert schedules(machine.take("r1")) == [collection]


def test_one_at_a_time() -> None:
    """Number 76: the next when one is filled or dropped; every connection starts afresh."""
    machine = Machine(replace(CONFIG, hydration_limit=1))
    for collection in (A, B, C):
        machine.install(index(collection))
    assert schedules(machine.connect("r1")) == [A]
    machine.report("r1", A, 100)
    assert schedules(machine.take("r1")) == [B]
    machine.install(drops=(B,))
    assert schedules(machine.take("r1")) == [C]
    machine.lose("r1")
    assert schedules(machine.connect("r1")) == [A]


def test_what_a_full_set_let_stay_takes_no_slot_once_it_says_so() -> None:
    machine = Machine(replace(CONFIG, hydration_limit=1))
    for collection in (A, B, C):
        machine.install(index(collection))
    assert schedules(machine.connect("r1")) == [A]
    machine.report("r1", B, 100)
    assert schedules(machine.take("r1")) == [B], "it is filled, though nobody had it started"
    machine.report("r1", B, 110)
    assert schedules(machine.take("r1")) == []
    machine.report("r1", A, 100)
    assert schedules(machine.take("r1")) == [C]


def test_a_dependant_never_takes_the_slot_of_its_own_input() -> None:
    machine = Machine(replace(CONFIG, hydration_limit=1))
    machine.install(index(A))
    machine.install(index(B, on=A, kind=INDEX))
    machine.install(index(C))
    assert schedules(machine.connect("r1")) == [A]
    machine.report("r1", A, 100)
    assert schedules(machine.take("r1")) == [B]

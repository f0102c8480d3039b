"""The checker can fail: each broken fact is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from antiphon.controller.instance.invariants import check
from antiphon.controller.instance.state import Holder, HoldKind
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from tests.controller.instance.machine import Machine, T, index

A = CollectionId(10)


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.peek(A)
    machine.subscribe()
    check(machine.state)
    return machine


def _pass_hold(machine: Machine) -> None:
    machine.collection(A).since = Frontier(150)


def _close(machine: Machine) -> None:
    machine.collection(T).since = CLOSED


def _overtake_dependant(machine: Machine) -> None:
    machine.collection(T).holds.clear()
    machine.collection(T).since = Frontier(99)
    machine.collection(A).since = Frontier(98)


def _lose_input(machine: Machine) -> None:
    del machine.state.collections[T]


def _lose_peek_hold(machine: Machine) -> None:
    holds = machine.collection(A).holds
    for holder in [holder for holder in holds if holder.kind is HoldKind.PEEK]:
        del holds[holder]


def _lose_subscribe_hold(machine: Machine) -> None:
    holds = machine.collection(T).holds
    for holder in [holder for holder in holds if holder.kind is HoldKind.SUBSCRIBE]:
        del holds[holder]


def _forget_request(machine: Machine) -> None:
    machine.state.peek_of_request.clear()


def _forget_dataflow(machine: Machine) -> None:
    del machine.state.replicas[ReplicaId("r1")].installed[A]


def _lose_dependant_hold(machine: Machine) -> None:
    del machine.collection(T).holds[Holder(HoldKind.DEPENDANT, A)]


@pytest.mark.parametrize(
    "damage",
    [
        _pass_hold,
        _close,
        _overtake_dependant,
        _lose_input,
        _lose_peek_hold,
        _lose_subscribe_hold,
        _forget_request,
        _forget_dataflow,
        _lose_dependant_hold,
    ],
)
def test_damage_is_found(machine: Machine, damage: Callable[[Machine], None]) -> None:
    damage(machine)
    with pytest.raises(AssertionError):
        check(machine.state)

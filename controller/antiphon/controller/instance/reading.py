"""Who is read from has changed: reads and subscribes that wait for somebody are asked of them."""

from __future__ import annotations

from antiphon.controller.instance import peeks, subscribes
from antiphon.controller.instance.ready import Outbox
from antiphon.controller.instance.state import Replica, State


def readers_changed(state: State, out: Outbox) -> None:
    """O(pending reads + active subscribes)."""
    peeks.ask_waiting(state, out)
    subscribes.ask_waiting(state, out)
    withdraw_unproven(state, out)


def withdraw_unproven(state: State, out: Outbox) -> None:
    """What nobody has compared yet was read for want of others: now there is another."""
    able = peeks.readers(state, None)
    for replica in state.open_replicas():
        if replica.is_unproven and replica not in able:
            withdraw(state, replica, out)


def withdraw(state: State, replica: Replica, out: Outbox) -> None:
    """This one is not to be read from while there is another."""
    peeks.withdraw(state, replica, out)
    subscribes.withdraw(state, replica, out)

"""The best replica's frontier: the least of what it maintains, less what it is still filling."""

from antiphon.controller.instance.progress import best_frontier
from antiphon.controller.instance.state import Installed, LinkState, Replica, State
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ReplicaId
from tests.controller.instance.machine import CONFIG


def _installed(output: int, *, as_of: int = 1, transient: bool = False) -> Installed:
    at = Frontier(output)
    return Installed(
        as_of=Frontier(as_of),
        write_frontier=at,
        input_frontier=at,
        output_frontier=at,
        stored_inputs=(),
        local_inputs=(),
        is_transient=transient,
        compacted=Frontier(as_of),
    )


def _state(*replicas: dict[int, Installed]) -> State:
    state = State(config=CONFIG, timeline_upper=100, head=NO_POSITION, head_digest=b"")
    for number, installed in enumerate(replicas):
        name = ReplicaId(f"r{number}")
        replica = Replica(id=name, address="", link=LinkState.OPEN)
        replica.installed = {CollectionId(key): value for key, value in installed.items()}
        state.replicas[name] = replica
    return state


def test_nobody_maintains_anything() -> None:
    assert best_frontier(_state({}, {})) is None


def test_the_best_replica_counts_and_its_slowest_dataflow() -> None:
    slow = {5: _installed(7), 6: _installed(9)}
    fast = {5: _installed(12), 6: _installed(10)}
    assert best_frontier(_state(slow, fast)) == Frontier(10)


def test_what_is_being_filled_or_passes_by_does_not_count() -> None:
    filling = _installed(1, as_of=1)
    subscribe = _installed(3, transient=True)
    state = _state({5: filling, 6: _installed(9), 7: subscribe})
    assert best_frontier(state) == Frontier(9)


def test_a_replica_that_is_not_connected_does_not_count() -> None:
    state = _state({5: _installed(9)})
    state.replicas[ReplicaId("r0")].link = LinkState.CONNECTING
    assert best_frontier(state) is None

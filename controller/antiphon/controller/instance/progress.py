"""How far the replicas have come, as one frontier."""

from __future__ import annotations

from antiphon.controller.instance.state import Replica, State
from antiphon.protocol.frontier import Frontier, meet_all


def best_frontier(state: State) -> Frontier | None:
    """What the best replica has passed in everything that it maintains and has filled.

    None: nobody maintains anything. What is still being filled does not count: it takes as long as
    it takes, and reads that need it wait for it alone. O(installed dataflows).
    """
    best: Frontier | None = None
    for replica in state.open_replicas():
        passed = _passed(replica)
        if passed is not None:
            best = passed if best is None else best.join(passed)
    return best


def _passed(replica: Replica) -> Frontier | None:
    filled = [
        installed.output_frontier
        for installed in replica.installed.values()
        if installed.hydrated and not installed.dropping and not installed.is_transient
    ]
    return meet_all(filled) if filled else None

"""How patient a controller is: budgets of sync sessions, failures, what the history keeps.

Plain values, given from outside and compared with times that come from outside: nothing here, and
nothing in the engine, has a clock. A limit of 0 is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from antiphon.history.retention import LOG_COMMANDS_MAX, Bounds
from antiphon.protocol.command import SyncDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one sync session may use up. 0: no limit."""

    duration_ms_max: int = 0  # from its start to its end
    entries_max: int = 0  # numbered commands that it may send
    progress_ms_max: int = 0  # between two signs of progress

    def __post_init__(self) -> None:
        assert min(self.duration_ms_max, self.entries_max, self.progress_ms_max) >= 0, (
            f"a negative budget: {self}"
        )


CATCH_UP_MS_MAX: Final = 60_000
# Not how long it may take: how long it may show no sign of getting on.
SYNC_STALL_MS_MAX: Final = 600_000
BASE_STALL_MS_MAX: Final = 30_000  # of a replica that gives a base; then another one does

# A catch-up only sends commands: seconds. A reconciliation may fill new dataflows, and a rebuild
# all of them, so that they take as long as they take, as long as they get on.
BUDGETS: Final[Mapping[SyncDecision, Budget]] = MappingProxyType(
    {
        SyncDecision.KEEP_UP: Budget(),
        SyncDecision.CATCH_UP: Budget(
            duration_ms_max=CATCH_UP_MS_MAX, entries_max=LOG_COMMANDS_MAX, progress_ms_max=10_000
        ),
        SyncDecision.RECONCILE: Budget(progress_ms_max=SYNC_STALL_MS_MAX),
        SyncDecision.REBUILD: Budget(progress_ms_max=SYNC_STALL_MS_MAX),
    }
)
assert set(BUDGETS) == set(SyncDecision), "every decision has its budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an instance's operator may set."""

    budgets: Mapping[SyncDecision, Budget] = field(default_factory=lambda: BUDGETS)
    # Sessions in a row that failed by what they found, not by how slow or far away it was.
    failures_before_reconcile: int = 3
    failures_before_rebuild: int = 6
    bounds: Bounds = field(default_factory=Bounds)  # of the history's log
    durable_quorum: int = 1  # replicas that count together as durable
    base_stall_ms: int = BASE_STALL_MS_MAX

    def __post_init__(self) -> None:
        assert set(self.budgets) == set(SyncDecision), "every decision has its budget"
        assert 0 < self.failures_before_reconcile < self.failures_before_rebuild, (
            "a cheaper remedy is tried first"
        )
        assert self.durable_quorum > 0, "nobody is no quorum"


DEFAULT: Final = Policy()

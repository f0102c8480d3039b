"""How far a rebuild is, in numbers and in the words that every surface says."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.controller.instance.replicas import syncing
from antiphon.controller.instance.state import Replica, State
from antiphon.protocol.ids import SessionId
from antiphon.protocol.response import HydrationProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildStatus:
    """`base_rows`, `base_rows_total`, `rows_computed`: of the dataflows that are being filled now,
    as far as is known. `compared_with`: who holds what it is compared with; empty: not yet."""

    session_id: SessionId
    dataflows_filled: int
    dataflows_total: int
    base_rows: int
    base_rows_total: int
    rows_computed: int
    live_lag_ms: int
    percent: int
    compared_with: str = ""

    def __str__(self) -> str:
        if self.compared_with:
            return f"built anew, and compared with {self.compared_with}"
        lanes = f"base lane {self.base_rows:,} of {self.base_rows_total:,} rows"
        if not self.base_rows_total:
            lanes = "base lane begins"
        return (
            f"{self.dataflows_filled} of {self.dataflows_total} dataflows, {self.percent} %: "
            f"{lanes}, live lane {self.live_lag_ms} ms behind"
        )


def rebuild_status(state: State, replica: Replica, lag_ms: int) -> RebuildStatus | None:
    """None: nothing is being rebuilt there. O(its dataflows)."""
    if not replica.is_open:
        return None
    if replica.repairing is not None:
        return _repair(state, replica, lag_ms)
    session = syncing.active_session(state, replica.id)
    if session is None or not replica.anew:
        return None
    due = syncing.due(state, replica, session)
    filled = sum(1 for installed in due.values() if installed.hydrated)
    hydration = () if replica.status is None else replica.status.hydration
    filling = [p for p in hydration if p.collection in due and not due[p.collection].hydrated]
    share = filled + sum(_share(progress) for progress in filling)
    return RebuildStatus(
        session_id=session.ref.session_id,
        dataflows_filled=filled,
        dataflows_total=len(due),
        base_rows=sum(progress.rows_received for progress in filling),
        base_rows_total=sum(progress.rows_total for progress in filling),
        rows_computed=sum(progress.rows_done for progress in filling),
        live_lag_ms=lag_ms,
        percent=int(100 * share / len(due)) if due else 100,
        compared_with="" if replica.check is None else replica.check.other,
    )


def _share(progress: HydrationProgress) -> float:
    """Of a dataflow: rows first arrive and then are computed, both count half."""
    if not progress.rows_total:
        return 0.0
    return min((progress.rows_received + progress.rows_done) / (2 * progress.rows_total), 1.0)


def _repair(state: State, replica: Replica, lag_ms: int) -> RebuildStatus | None:
    repair = state.repair
    if repair is None or repair.replica != replica.id:
        return None
    found = None if replica.status is None else replica.status.rebuild
    if found is None or found.session_id != repair.session_id:
        found = None
    total = len(repair.collections) if found is None else found.dataflows_total
    filled = 0 if found is None else found.dataflows_filled
    rows = 0 if found is None else found.base_rows
    rows_total = 0 if found is None else found.base_rows_total
    share = (rows / rows_total if rows_total else 0.0) + (filled / total if total else 0.0)
    return RebuildStatus(
        session_id=repair.session_id,
        dataflows_filled=filled,
        dataflows_total=total,
        base_rows=rows,
        base_rows_total=rows_total,
        rows_computed=0,
        live_lag_ms=lag_ms,
        percent=int(50 * share),
        compared_with="" if replica.check is None else replica.check.other,
    )

"""A replica in service whose content is wrong is repaired by a rebuild session while it goes on.

What differs is built anew beside what is in force, with what reads of it, from a base at one time
and what followed it. Reads do not use the replica until that is over. What comes of it is compared
with a replica that is up to date before it is accepted; a difference is refused.

The base comes from the store, for content is in doubt. If that fails, from the replica that is
believed, as far as it can: what feeds hold. If that fails as well, nothing can be mended in
service: the session ends, and the next one recomputes everything, each dataflow at a time of its
own. Each is a decision on record, with its reason.
"""

from __future__ import annotations

from typing import Final

from antiphon.controller.engine.decision import Sync
from antiphon.controller.instance import holds, reading
from antiphon.controller.instance.content import verifying
from antiphon.controller.instance.ready import Outbox, live
from antiphon.controller.instance.replicas import syncing
from antiphon.controller.instance.state import (
    DecisionRecord,
    Finding,
    Holder,
    HoldKind,
    Repair,
    Replica,
    State,
)
from antiphon.protocol.command import (
    AcceptRebuild,
    CancelRebuild,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.content_digest import CONTENT_DIGEST_BYTES
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.ids import CollectionId, ReplicaId, SessionId
from antiphon.protocol.response import RebuildCompleted, RebuildResult

# Sync sessions count from 1; what is on record of a repair must not be taken for one of them.
REPAIRS_FROM: Final = 1 << 32
REPAIR_MS: Final = 600_000  # of one rebuild; past it the replica gives up, and is compared again


def begin(
    state: State,
    replica: Replica,
    differing: list[CollectionId],
    reason: str,
    believed: ReplicaId | None,
    out: Outbox,
    now_ms: int,
) -> None:
    """`believed`: who gives the base if the store cannot; None: nobody."""
    assert state.repair is None, "one repair at a time"
    replica.wrong = True
    state.repair_sessions += 1
    session_id = SessionId(REPAIRS_FROM + state.repair_sessions)
    decision = Sync(
        sync=SyncDecision.REBUILD,
        protocol_version=replica.protocol_version,
        code="content_differs",
        reason=reason,
    )
    record = DecisionRecord(
        at_ms=now_ms, session_id=session_id, decision=decision, outcome="repairing"
    )
    replica.decisions.append(record)
    reading.withdraw(state, replica, out)
    collections = _with_readers(state, replica, differing)
    imports = {wanted for each in collections for wanted in replica.installed[each].stored_inputs}
    chosen = _base(state, replica, imports, believed)
    if chosen is None:
        record.bases.append(f"recomputed because {replica.repair_failures[-1]}")
        record.outcome = "its session ends, the next one recomputes everything"
        syncing.differed(state, replica.id)
        replica.distrusted = reason
        replica.repair_failures.clear()
        return
    peer, base = chosen
    record.bases.append(base)
    repair = Repair(
        session_id=session_id,
        replica=replica.id,
        collections=collections,
        held=tuple(sorted({*imports, *collections})),
        record=record,
        peer=peer,
        moved_at_ms=now_ms,
    )
    time = state.read_time
    holds.acquire_all(state, repair.held, _holder(repair), time)
    state.repair = repair
    replica.repairing = repair.session_id
    command = StartRebuild(
        session_id=repair.session_id,
        collections=collections,
        base_time=time,
        target_time=time,
        deadline_ms=REPAIR_MS,
        peer="" if peer is None else state.replicas[peer].reached_at,
    )
    out.send(replica.id, live(command))


def _base(
    state: State, replica: Replica, imports: set[CollectionId], believed: ReplicaId | None
) -> tuple[ReplicaId | None, str] | None:
    """Who gives the base this time, and why; None: nobody is left."""
    failures = replica.repair_failures
    if not failures:
        return None, "base from the store because content is in doubt"
    peer = None if believed is None else state.replicas.get(believed)
    has_feeds = any(state.collections[one].kind is CollectionKind.FEED for one in imports)
    if len(failures) == 1 and has_feeds and peer is not None and peer.reached_at:
        return believed, f"base from {believed} because {failures[-1]}"
    return None


def on_result(state: State, replica: Replica, response: RebuildResult, out: Outbox) -> bool:
    """The end of what the replica had to do; False: of no repair that was begun here.

    Raises:
        RemoteProtocolError: it has not told one digest for each collection.
    """
    repair = state.repair
    if repair is None or repair.replica != replica.id or repair.session_id != response.session_id:
        # One that was canceled may have ended before it heard of that.
        return REPAIRS_FROM < response.session_id <= REPAIRS_FROM + state.repair_sessions
    match response.result:
        case RebuildCompleted(achieved_time=time, digest=digest):
            if len(digest) != CONTENT_DIGEST_BYTES * len(repair.collections):
                raise RemoteProtocolError(f"{len(digest)} bytes of digests")
            cuts = range(0, len(digest), CONTENT_DIGEST_BYTES)
            parts = [digest[at : at + CONTENT_DIGEST_BYTES] for at in cuts]
            repair.told = (time, dict(zip(repair.collections, parts, strict=True)))
        case failure:
            _fail(state, replica, repair, failure.message, out)
    return True


def heard(state: State, replica: Replica, out: Outbox, now_ms: int) -> None:
    """After responses of a replica: whether what it has rebuilt is right, or gets on at all. O(1)
    for one that rebuilds nothing."""
    repair = state.repair
    if repair is None or repair.replica != replica.id:
        return
    if repair.told is None:
        _watch(state, replica, repair, out, now_ms)
        return
    found = verifying.look(
        state, replica, out, now_ms, collections=repair.collections, own=repair.told
    )
    if found is not None:
        _conclude(state, replica, repair, found, out)


def _conclude(state: State, replica: Replica, repair: Repair, found: Finding, out: Outbox) -> None:
    repair.record.content = found.words
    if found.differing and replica.id not in state.refused:
        command = CancelRebuild(session_id=repair.session_id, reason=found.words)
        out.send(replica.id, live(command))
        outcome = "failed: content_differs"
        if repair.peer is None:
            state.refused.add(replica.id)
    else:
        if found.differing:  # the store has led there twice: it is the other one that is wrong
            repair.record.content += "; it was built from the store twice"
        out.send(replica.id, live(AcceptRebuild(session_id=repair.session_id)))
        replica.repair_failures.clear()
        replica.wrong = False
        verifying.settle(state, replica, found)
        state.refused.discard(replica.id)
        outcome = "repaired"
    if repair.peer is None:
        state.repaired.add(replica.id)
    _end(state, repair, outcome)
    state.compare_at_ms = 0  # soon: whether it is right now
    reading.readers_changed(state, out)  # those that name it have waited for the end


def _watch(state: State, replica: Replica, repair: Repair, out: Outbox, now_ms: int) -> None:
    """Gives up a base that does not come."""
    progress = None if replica.status is None else replica.status.rebuild
    if progress is not None and progress.session_id == repair.session_id:
        if progress != repair.seen:
            repair.seen, repair.moved_at_ms = progress, now_ms
        elif progress.base_chunks and progress.base_rows >= progress.base_rows_total:
            repair.moved_at_ms = now_ms  # the base is there: the rest is computation
    limit_ms = state.config.policy.base_stall_ms
    if now_ms - repair.moved_at_ms > limit_ms:
        why = f"its base gave nothing for {limit_ms // 1000} s"
        out.send(replica.id, live(CancelRebuild(session_id=repair.session_id, reason=why)))
        _fail(state, replica, repair, why, out)


def _fail(state: State, replica: Replica, repair: Repair, why: str, out: Outbox) -> None:
    whose = "the store" if repair.peer is None else repair.peer
    replica.repair_failures.append(f"{whose} failed: {why}")
    _end(state, repair, f"failed: {why}")
    state.compare_at_ms = 0  # the next facts decide
    reading.readers_changed(state, out)  # those that name it have waited for the end


def on_replica_lost(state: State, replica: Replica) -> None:
    replica.repair_failures.clear()
    if replica.wrong:  # the same process would come back with it
        syncing.differed(state, replica.id)
    if state.repair is not None and state.repair.replica == replica.id:
        _end(state, state.repair, "its connection was lost")


def _with_readers(
    state: State, replica: Replica, differing: list[CollectionId]
) -> tuple[CollectionId, ...]:
    """And what is built from them there; inputs come before those who read them."""
    found = set(differing)
    for collection in state.live_dataflows():
        installed = replica.installed.get(collection.id)
        if installed is not None and found.intersection(installed.local_inputs):
            found.add(collection.id)
    return tuple(sorted(found))


def _end(state: State, repair: Repair, outcome: str) -> None:
    state.repair = None
    holds.release_all(state, repair.held, _holder(repair))
    repair.record.outcome = outcome
    replica = state.replicas.get(repair.replica)
    if replica is not None:
        replica.repairing = None
        verifying.end(state, replica)


def _holder(repair: Repair) -> Holder:
    return Holder(HoldKind.REPAIR, repair.session_id)

"""The instance machine: one event in, what is owed out.

Theory of operation
-------------------
The instance decides for all replicas of one command history. It owns read holds, pending peeks,
subscribes, what each replica has installed, and how far collections may compact. It performs
nothing: the driver makes entries durable, then sends, then replies, and reports each durable
moment back as an event. So a numbered command reaches a replica only from `InstallDurable`, a
compaction only from `CompactionDurable`, and a machine that is fed the same events gives the same
outputs.
"""

from __future__ import annotations

from typing import assert_never

from antiphon.controller.instance import (
    copies,
    holds,
    on_followed,
    on_link,
    on_request,
    on_response,
    on_tick,
    peeks,
    subscribes,
)
from antiphon.controller.instance.content import comparing, verifying
from antiphon.controller.instance.event import (
    CompactionDurable,
    CompactionRefused,
    CopyRequested,
    DigestsTold,
    Event,
    Followed,
    HoldMoved,
    HoldReleased,
    HoldTaken,
    InstallDurable,
    InstallRefused,
    InstallRequested,
    LinkLost,
    PeekRequested,
    ProtocolBroken,
    ReplicaAdded,
    ReplicaProbed,
    ReplicaRemoved,
    RequestCanceled,
    ResponsesReceived,
    ShardAdvanced,
    StashReleased,
    SubscribeRequested,
    Ticked,
    TimelineAdvanced,
    WritesAllowed,
)
from antiphon.controller.instance.ready import Outbox, Ready, live
from antiphon.controller.instance.replicas import syncing
from antiphon.controller.instance.state import State
from antiphon.protocol.command import CancelPeek
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.frontier import Frontier


class Instance:
    """Owns the state of one instance."""

    def __init__(self, state: State) -> None:
        self.state = state
        syncing.begin(state)

    def step(self, event: Event, now_ms: int) -> Ready:
        """Advance by one event. Deterministic; O(what the event touches)."""
        out = Outbox()
        self._dispatch(event, out, now_ms)
        return out.ready(on_tick.wake_at_ms(self.state))

    def _dispatch(self, event: Event, out: Outbox, now_ms: int) -> None:
        state = self.state
        match event:
            case ResponsesReceived():
                self._on_responses(event, out, now_ms)
            case PeekRequested():
                peeks.begin(state, event, out, now_ms)
            case TimelineAdvanced(upper=upper):
                self._on_timeline_advanced(upper)
            case ShardAdvanced(collection=collection, upper=shard_upper):
                on_response.on_shard_advanced(state, collection, shard_upper)
            case RequestCanceled(request=request):
                for cancel in (peeks.cancel, subscribes.cancel, copies.cancel):
                    if cancel(state, request, out):
                        break
            case HoldTaken(name=name, imports=imports, time=time):
                holds.take_named(state, name, imports, time)
            case HoldMoved(name=name, time=time):
                holds.move_named(state, name, time)
            case HoldReleased(name=name):
                holds.release_named(state, name)
            case CopyRequested():
                copies.begin(state, event, out, now_ms)
            case SubscribeRequested():
                subscribes.begin(state, event, out, now_ms)
            case InstallRequested():
                on_request.on_install_requested(state, event, out)
            case InstallDurable():
                on_request.on_install_durable(state, event, out)
                on_link.enforce_floor(state, out)
            case InstallRefused():
                on_request.on_install_refused(state, event)
            case StashReleased():
                self._on_stash_released(event, out)
            case CompactionDurable():
                on_tick.on_compaction_durable(state, event, out)
            case CompactionRefused():
                on_tick.on_compaction_refused(state)
            case Followed():
                on_followed.on_followed(state, event, out)
                on_link.enforce_floor(state, out)
            case ReplicaAdded():
                on_link.on_replica_added(state, event, out, now_ms)
            case ReplicaRemoved():
                on_link.on_replica_removed(state, event, out, now_ms)
            case WritesAllowed(replica=allowed):
                on_link.on_writes_allowed(state, allowed, out)
            case ReplicaProbed():
                on_link.on_replica_probed(state, event, out, now_ms)
            case LinkLost():
                on_link.on_link_lost(state, event, out, now_ms)
            case DigestsTold():
                comparing.on_told(state, event, out, now_ms)
                self._on_told(event, out, now_ms)
            case ProtocolBroken(replica=broken, reason=reason):
                on_link.close_broken(state, broken, reason, out)
            case Ticked():
                on_tick.on_tick(state, out, now_ms)
            case _:
                assert_never(event)

    def _on_stash_released(self, event: StashReleased, out: Outbox) -> None:
        found = self.state.replicas.get(event.replica)
        if found is not None and found.is_open:
            out.send(event.replica, live(CancelPeek(peek_id=event.peek_id)))

    def _on_responses(self, event: ResponsesReceived, out: Outbox, now_ms: int) -> None:
        try:
            on_response.on_responses(self.state, event, out)
        except RemoteProtocolError as error:
            on_link.close_broken(self.state, event.replica, str(error), out)
        else:
            on_link.on_heard(self.state, event.replica, out, now_ms)

    def _on_told(self, event: DigestsTold, out: Outbox, now_ms: int) -> None:
        """Whoever waits for them to be accepted."""
        verifying.on_told(self.state, event, now_ms)
        for replica in list(self.state.open_replicas()):
            if replica.check is not None and event.replica in replica.check.told:
                on_link.on_heard(self.state, replica.id, out, now_ms)

    def _on_timeline_advanced(self, upper: int) -> None:
        state = self.state
        assert upper >= state.timeline_upper, f"time moves back: {state.timeline_upper} -> {upper}"
        state.timeline_upper = upper
        state.moved = True
        for collection in state.collections.values():
            if collection.is_stored:
                collection.write_frontier = Frontier(upper)

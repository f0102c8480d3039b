"""What must hold of rebuild sessions, watched from outside both parties.

*Proven*: what a replica says that it has rebuilt is what the others hold at that time. *Accepted*:
what is rebuilt counts by the controller's word alone, after its result. *Left*: once all is quiet,
nothing of a session is there any more, on either side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from antiphon.controller.instance.state import HoldKind
from antiphon.proof.simulation.checkers import Violation
from antiphon.protocol.command import (
    AcceptRebuild,
    CancelRebuild,
    Schedule,
    Sent,
    StartRebuild,
)
from antiphon.protocol.content_digest import CONTENT_DIGEST_BYTES
from antiphon.protocol.ids import CollectionId, ReplicaId, SessionId, show
from antiphon.protocol.response import RebuildCompleted, RebuildResult, Response

if TYPE_CHECKING:
    from antiphon.controller.instance.state import State
    from antiphon.proof.simulation.replica_process import ReplicaProcess
    from antiphon.proof.simulation.world import World

LIE_PERCENT: Final = 20  # of the answers with digests
SPOILED_PERCENT: Final = 30  # of the rebuilds read a base that lacks a row
OVERLAPPING_PERCENT: Final = 70  # of the pushed ticks
SESSION_HOLDS: Final = (HoldKind.REPAIR, HoldKind.BASE, HoldKind.CHECK)
ASK_AGAIN_MS: Final = 100
ASKS_MAX: Final = 5  # others may have yet to get there


class Strikes(Protocol):
    """What goes wrong in the middle of a rebuild."""

    def rebuild_began(self, replica: ReplicaId, peer: ReplicaId | None) -> None: ...

    def kill(self, name: ReplicaId) -> None: ...


class Rebuilds:
    """All rebuild sessions of a run. `counts`: how many began, completed, were accepted, ..."""

    def __init__(
        self, world: World, replicas: Mapping[ReplicaId, ReplicaProcess], strikes: Strikes
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.lie_percent = LIE_PERCENT
        # Whether replicas are asked for state last, or first: more often first.
        self.from_peers: int = world.random.choose((1, 2, 2))
        self._world = world
        self._random = world.random.split()
        self._replicas = replicas
        self._strikes = strikes
        self._begun: dict[tuple[ReplicaId, SessionId], StartRebuild] = {}
        # Completed; with those that could be compared with then.
        self._completed: dict[tuple[ReplicaId, SessionId], set[ReplicaId]] = {}

    def told(
        self, replica: ReplicaId, digests: dict[CollectionId, bytes]
    ) -> dict[CollectionId, bytes]:
        """What the controller hears of them: now and then a wrong one, and the replica is taken
        for one that differs."""
        if digests and self._random.chance(self.lie_percent):
            self._world.note(f"x {replica} tells a wrong digest")
            one = self._random.choose(tuple(sorted(digests)))
            for collection in sorted(digests) if self._random.chance(60) else [one]:
                digests[collection] = bytes(byte ^ 1 for byte in digests[collection])
        return digests

    def said(self, state: State, replica: ReplicaId, commands: Iterable[Sent]) -> None:
        """
        Raises:
            Violation: what has no result is accepted, or what could be seen to be wrong.
        """
        for sent in commands:
            match sent.command:
                case StartRebuild() as command:
                    self.counts["begun"] += 1
                    self._begun[replica, command.session_id] = command
                    self._spoil(state, replica, command)
                    peer = ReplicaId(command.peer) if command.peer else None
                    self._strikes.rebuild_began(replica, peer)
                case AcceptRebuild(session_id=number):
                    self.counts["accepted"] += 1
                    others = self._completed.get((replica, number))
                    if others is None:
                        raise Violation(f"{replica}: rebuild {number} is accepted without result")
                    if not self._replicas[replica].is_spoiled:
                        continue
                    # What the controller itself has put on record of the comparison.
                    found = state.replicas[replica].decisions[-1].content
                    if " is not that of " in found and others & _up_to_date(state):
                        raise Violation(f"{replica}: rebuild {number} is accepted, and is wrong")
                    # Nobody could be compared with, or what the store lost does not show so far.
                    self._world.after(0, lambda: self._strikes.kill(replica))
                case CancelRebuild():
                    self.counts["canceled"] += 1
                case Schedule(bases=bases) if bases:
                    self.counts["from a peer"] += 1
                    self._strikes.rebuild_began(replica, ReplicaId(bases[0].peer))
                case _:
                    pass

    def _spoil(self, state: State, replica: ReplicaId, command: StartRebuild) -> None:
        """Now and then, but not the second time: then the store is believed."""
        is_so = self.lie_percent > 0 and self._random.chance(SPOILED_PERCENT)
        found = self._replicas[replica]
        is_so = is_so and replica not in state.refused
        found.spoils_at = command.base_time if is_so else None
        found.is_spoiled = False

    def heard(self, state: State, replica: ReplicaId, responses: Iterable[Response]) -> None:
        """
        Raises:
            Violation: a result of nothing, before its target, or of another size.
        """
        for response in responses:
            if not isinstance(response, RebuildResult):
                continue
            command = self._begun.get((replica, response.session_id))
            if command is None:
                raise Violation(f"{replica}: a result of rebuild {response.session_id}")
            if isinstance(response.result, RebuildCompleted):
                self.counts["completed"] += 1
                self._completed[replica, response.session_id] = _up_to_date(state) - {replica}
                self._check(replica, command, response.result)
            else:
                self.counts["failed"] += 1

    def _check(self, replica: ReplicaId, command: StartRebuild, result: RebuildCompleted) -> None:
        if result.achieved_time < command.target_time:
            raise Violation(f"{replica}: rebuilt up to {result.achieved_time} alone")
        if len(result.digest) != CONTENT_DIGEST_BYTES * len(command.collections):
            raise Violation(f"{replica}: {len(result.digest)} bytes of digests")
        if self._replicas[replica].is_spoiled:
            return  # the store gave it something else, and the controller has to notice
        told = {
            collection: result.digest[n * CONTENT_DIGEST_BYTES : (n + 1) * CONTENT_DIGEST_BYTES]
            for n, collection in enumerate(command.collections)
        }
        for name in self._replicas:
            if name != replica:
                self._compare(replica, name, result.achieved_time, told, ASKS_MAX)

    def _compare(
        self,
        replica: ReplicaId,
        name: ReplicaId,
        time: int,
        told: Mapping[CollectionId, bytes],
        asks: int,
    ) -> None:
        """With what the other one holds at that time, if it can be told."""
        other = self._replicas[name]

        def heard(digests: Mapping[CollectionId, bytes]) -> None:
            self.counts["compared"] += len(digests)
            for collection, digest in digests.items():
                if digest != told[collection]:
                    raise Violation(
                        f"{replica} has rebuilt {show(collection)} at {time} otherwise than {name}"
                    )
            left = {c: digest for c, digest in told.items() if c not in digests}
            if left and asks > 1:
                self._world.after(
                    ASK_AGAIN_MS, lambda: self._compare(replica, name, time, left, asks - 1)
                )

        if other.process.alive:
            other.ask_digests(tuple(told), time, heard)


def _up_to_date(state: State) -> set[ReplicaId]:
    return {one.id for one in state.open_replicas() if one.accepted and not one.wrong}


def left(state: State, replicas: Mapping[ReplicaId, ReplicaProcess]) -> tuple[str, ...]:
    """What is there of sessions and comparisons, on either side; nothing, once all is quiet."""
    found = [] if state.comparison is None else ["a comparison"]
    found += [] if state.repair is None else [f"a repair of {state.repair.replica}"]
    for collection in state.collections.values():
        kinds = sorted(holder.kind for holder in collection.holds if holder.kind in SESSION_HOLDS)
        found += [f"{show(collection.id)} held for {HoldKind(kind).name}" for kind in kinds]
    for name, replica in replicas.items():
        found += [f"{name}: {one}" for one in replica.unfinished]
    return tuple(found)

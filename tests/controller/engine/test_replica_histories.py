"""Sync 9: whatever was commanded, folded and missed, a replica that returns is as one that stayed.

Real parts: the table, the pins, the folding, the digests. The oracle obeys what it is sent, one
command after another. Rules that sound as good are shown to be wrong by the same property.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon.controller.engine.decision import Sync
from antiphon.controller.engine.observation import Observation
from antiphon.controller.engine.reconnect import Case, decide
from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.folding import Folded, fold, full_set, suffix
from antiphon.history.journal import Record
from antiphon.history.reduction import reduce
from antiphon.history.retention import Bounds, RetentionState
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import NO_POSITION, Position
from antiphon.protocol.version import SPOKEN
from tests.controller.engine.facts import EPOCH, INSTANCE, OURS, R1, incarnation
from tests.history.histories import any_history
from tests.history.naive_replica import Confused, NaiveReplica

TIGHT: Final = Bounds(slack_entries=2, entries_max=6)


@dataclass
class World:
    """One history, a replica that stays and one that comes and goes."""

    bounds: Bounds = TIGHT
    history: Folded = field(default_factory=Folded)
    everything: list[Record] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=lambda: [EMPTY_DIGEST])
    stayed: NaiveReplica = field(default_factory=NaiveReplica)
    guest: NaiveReplica = field(default_factory=NaiveReplica)
    process: int = 1
    knows_us: bool = False
    is_here: bool = False
    sent: int = 0
    decisions: list[SyncDecision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.retention = RetentionState(bounds=self.bounds)

    def command(self, record: Record) -> None:
        self.history = self.history.appended(record)
        self.everything.append(record)
        self.retention.appended(byte_count=len(record.payload), now_ms=0)
        digest = extend(self.digests[-1], record.position, record.kind, record.payload)
        self.digests.append(digest)
        self.stayed.obey(record)
        if self.is_here:
            self.guest.obey(record)
            self.retention.advance(R1, record.position)

    def leave(self) -> None:
        self.is_here = False

    def restart(self) -> None:
        """Its process is lost, and all it held with it."""
        self.is_here = self.knows_us = False
        self.guest = NaiveReplica()
        self.process += 1

    def fold(self) -> None:
        self.retention.enforce(now_ms=0)
        self.history = fold(self.history, self.retention.fold_limit())
        self.retention.folded(self.history.position)

    def observe(self) -> Observation:
        """The pin comes first: what is observed afterwards cannot be folded away."""
        position = self.guest.position
        self.retention.reserve(R1, position)
        facts = ReplicaFacts(
            replica=R1,
            incarnation=incarnation(self.process),
            versions=SPOKEN,
            instance_id=INSTANCE if self.knows_us else None,
            history_id=OURS if self.knows_us else None,
            applied_position=position,
            command_digest=self.guest.digest,
        )
        return Observation(
            facts=facts,
            instance_id=INSTANCE,
            history_id=OURS,
            epoch=EPOCH,
            head=self.history.head,
            head_digest=self.digests[-1],
            base=self.retention.base,
            digest_at_position=self.digests[position],
        )

    def decided(self) -> Sync:
        decision = decide(Case(observation=self.observe()))
        assert isinstance(decision, Sync)
        self.decisions.append(decision.sync)
        return decision

    def come_back(self, between: Callable[[], None] = lambda: None) -> None:
        """`between`: what happens after the decision and before it is carried out. It may break the
        pin of who is too far behind: its session fails then, and the next one is decided anew."""
        decision = self.decided()
        between()
        if self.retention.pins[R1].is_lost and decision.sync is SyncDecision.CATCH_UP:
            decision = self.decided()
        if decision.sync is SyncDecision.CATCH_UP:
            missed = suffix(self.history, decision.start)
            assert len(missed) == decision.target - decision.start
            for record in missed:
                self.guest.obey(record)
                self.sent += 1
        elif decision.sync is not SyncDecision.KEEP_UP:
            full = full_set(self.history, {})
            self.guest.start_over(full, self.history.head, self.digests[-1])
        self.knows_us = self.is_here = True
        self.retention.advance(R1, self.history.head)


TOO_FAR: Final = ("back", "leave", *("command",) * 7, "back")  # the pin breaks between
ACTIONS = st.lists(st.sampled_from(("command",) * 5 + ("leave", "back", "fold", "restart")))


@settings(max_examples=300)
@given(st.randoms(use_true_random=False), ACTIONS)
@example(Random(1), list(TOO_FAR))
def test_a_replica_that_returns_is_as_one_that_stayed(random: Random, actions: list[str]) -> None:
    """Sync 9. Number 55."""
    records = iter(any_history(random, len(actions)))
    world = World()
    for action in actions:
        match action:
            case "command":
                world.command(next(records))
            case "leave":
                world.leave()
            case "back" if not world.is_here:
                world.come_back(between=world.fold)
            case "fold":
                world.fold()
            case "restart":
                world.restart()
        if world.is_here:
            assert world.guest == world.stayed
            assert world.guest.position == world.history.head
            assert world.guest.digest == world.digests[-1]
    if not world.is_here:
        world.come_back()
    assert world.guest == world.stayed


def test_every_way_back_is_taken() -> None:
    """Sync 2, 3: nothing is sent to who is at the head, and exactly what was missed to the others.
    The property above would be empty if the histories never led there."""
    world = World(bounds=Bounds(slack_entries=0, entries_max=4))
    records = iter(any_history(Random(3), 40))
    world.come_back()
    for missed in (0, 1, 3, 4, 9, 0):
        world.leave()
        for _ in range(missed):
            world.command(next(records))
        world.fold()
        world.come_back()
        assert world.guest == world.stayed
    keep, catch, rebuild = SyncDecision.KEEP_UP, SyncDecision.CATCH_UP, SyncDecision.REBUILD
    assert world.decisions == [keep, keep, catch, catch, catch, rebuild, keep]
    assert world.sent == 1 + 3 + 4


# Rules that sound as good. Each is given the same histories; some replicas end up wrong.

Rule = Callable[[tuple[Record, ...], int, int], tuple[list[Record], bool]]


def unedited(history: tuple[Record, ...], base: int, position: int) -> tuple[list[Record], bool]:
    """Ours: what is sent to a replica at `position`, and whether that is a suffix."""
    found = Folded()
    for record in history:
        found = found.appended(record)
    found = fold(found, Position(base))
    if base <= position:
        return list(suffix(found, Position(position))), True
    return list(full_set(found, {})), False


def oldest_kept(history: tuple[Record, ...], base: int, position: int) -> tuple[list[Record], bool]:
    """The history is reduced in place, and its oldest command counts as the tail."""
    kept = [*reduce(history[:base], {}), *history[base:]]
    if kept and position >= kept[0].position and position > NO_POSITION:
        return [record for record in kept if record.position > position], True
    return list(reduce(history, {})), False


def one_too_many(
    history: tuple[Record, ...], base: int, position: int
) -> tuple[list[Record], bool]:
    """Off by one: a replica right before the last folded command is given the log."""
    if base <= position + 1:
        return [record for record in history[base:] if record.position > position], True
    return list(reduce(history, {})), False


def one_too_few(history: tuple[Record, ...], base: int, position: int) -> tuple[list[Record], bool]:
    """Off by one the other way: right, and wasteful."""
    if base < position:
        return [record for record in history if record.position > position], True
    return list(reduce(history, {})), False


def judge(rule: Rule, seeds: range) -> tuple[int, int]:
    """(suffixes sent, replicas that ended up wrong)."""
    suffixes = wrong = 0
    for seed in seeds:
        random = Random(seed)
        history = any_history(random, random.randint(1, 12))
        base = random.randint(0, len(history))
        position = random.randint(0, len(history))
        stayed, guest = NaiveReplica(), NaiveReplica()
        for record in history:
            stayed.obey(record)
            if record.position <= position:
                guest.obey(record)
        sent, is_suffix = rule(history, base, position)
        suffixes += is_suffix
        try:
            if not is_suffix:
                guest = NaiveReplica()
            for record in sent:
                guest.obey(record)
        except Confused:
            wrong += 1
        else:
            wrong += guest != stayed
    return suffixes, wrong


SEEDS: Final = range(700)


def test_the_rule_is_never_wrong() -> None:
    suffixes, wrong = judge(unedited, SEEDS)
    assert suffixes > 250
    assert wrong == 0


def test_the_oldest_command_that_is_left_is_no_tail() -> None:
    """So the property can fail, and fails often: of these suffixes one in ten is wrong."""
    suffixes, wrong = judge(oldest_kept, SEEDS)
    assert wrong > suffixes / 20


def test_one_position_more_is_wrong_and_one_less_is_a_waste() -> None:
    """Sync 4."""
    assert judge(one_too_many, SEEDS)[1] > 0
    suffixes, wrong = judge(one_too_few, SEEDS)
    assert wrong == 0
    assert suffixes < judge(unedited, SEEDS)[0]

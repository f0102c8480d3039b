"""What must hold of a run, whatever happened in it.

*Exact*: every answer is the model at the answer's time. *Strict*: a read that begins after a write
was acknowledged, or after another read was answered, is not earlier than it. *Contiguous*: a
subscriber's intervals follow each other without gap or repeat, and add up to the model at each
upper. *Once*: an append that was tried again is in the model, and in the answers, once. *Spared*: a
replica whose process lives is sent what it missed and nothing twice. *Fenced*: the store takes
nothing of an older claim, and a replica that has obeyed an epoch obeys no older one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from antiphon.history.store import Committed, Completion, Submission
from antiphon.proof.simulation.model import Change, Model, Row
from antiphon.protocol.command import Hello, InitializationComplete, Sent, SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Epoch


class Violation(AssertionError):
    """The system did what it must never do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered read."""

    view: str
    began_ms: int
    ended_ms: int
    time: int
    rows: Counter[Row]
    replica: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """One acknowledged append."""

    began_ms: int
    ended_ms: int
    time: int
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What a subscriber received in one piece; times are of the rows."""

    lower: int
    upper: int
    rows: tuple[tuple[Row, int, int], ...]  # (row, time, diff)


@dataclass(slots=True)
class Observations:
    """What the clients saw, in the order in which they saw it."""

    answers: list[Answer] = field(default_factory=list)
    writes: list[Acknowledged] = field(default_factory=list)
    # By subscribed view and attempt: "totals#2" began anew from a snapshot.
    intervals: dict[str, list[Interval]] = field(default_factory=dict)


def check_session(hello: Hello, facts: ReplicaFacts, commands: Sequence[Sent]) -> None:
    """A suffix holds exactly what the replica lacks.

    Raises:
        Violation
    """
    positions = [sent.position for sent in commands if sent.position]
    first = facts.applied_position + 1
    match hello.decision:
        case SyncDecision.KEEP_UP:
            wanted: list[int] = []
        case SyncDecision.CATCH_UP:
            wanted = list(range(first, _head(commands) + 1))
        case SyncDecision.RECONCILE | SyncDecision.REBUILD:
            # Right for who is new, and for who lies behind what the store keeps for it.
            return
        case _:
            assert_never(hello.decision)
    if positions != wanted:
        raise Violation(f"{hello.decision.name} sends {positions}, where {wanted} are missing")


def check_fence(submission: Submission, completion: Completion, epoch: Epoch) -> None:
    """`epoch`: of the latest claim.

    Raises:
        Violation: what an older one submitted became durable.
    """
    if isinstance(completion, Committed) and submission.fence.epoch < epoch:
        raise Violation(f"the store took what epoch {submission.fence.epoch} wrote, after {epoch}")


def check_obeyed(replica: str, before: Epoch, now: Epoch) -> None:
    """
    Raises:
        Violation: a replica goes back to an older epoch.
    """
    if now < before:
        raise Violation(f"{replica} obeys epoch {now}, after {before}")


def _head(commands: Sequence[Sent]) -> int:
    ends = (sent.command for sent in commands)
    (head,) = (end.head_position for end in ends if isinstance(end, InitializationComplete))
    return head


def check(observed: Observations) -> None:
    """Check everything, when no append's fate is unknown any more.

    Raises:
        Violation
    """
    model = Model()
    for write in observed.writes:
        model.apply(write.time, write.change)
    _check_exact(observed, model)
    _check_strict(observed)
    for name, intervals in observed.intervals.items():
        _check_contiguous(name.partition("#")[0], intervals, model)


def _check_exact(observed: Observations, model: Model) -> None:
    for answer in observed.answers:
        expected = model.view(answer.view, answer.time)
        if answer.rows != expected:
            raise Violation(
                f"{answer.view} at {answer.time} by {answer.replica}: "
                f"missing {_show(expected - answer.rows)}, "
                f"too many {_show(answer.rows - expected)}"
            )


def _check_strict(observed: Observations) -> None:
    """Sweep the moments: a read must not be earlier than what was over when it began."""
    ends = [(write.ended_ms, write.time) for write in observed.writes]
    ends += [(answer.ended_ms, answer.time) for answer in observed.answers]
    ends.sort()
    floor, passed = 0, 0
    for answer in sorted(observed.answers, key=lambda answer: answer.began_ms):
        while passed < len(ends) and ends[passed][0] < answer.began_ms:
            floor = max(floor, ends[passed][1])
            passed += 1
        if answer.time < floor:
            raise Violation(f"{answer.view} was read at {answer.time}, after {floor} had been seen")


def _check_contiguous(view: str, intervals: list[Interval], model: Model) -> None:
    content: Counter[Row] = Counter()
    frontier = 0
    for interval in intervals:
        if interval.lower != frontier or interval.upper <= interval.lower:
            raise Violation(
                f"a subscriber of {view} at {frontier} got [{interval.lower}, {interval.upper})"
            )
        frontier = interval.upper
        for row, time, diff in interval.rows:
            if not interval.lower <= time < interval.upper:
                raise Violation(f"{view}: an update at {time} in {interval.lower}..{frontier}")
            content[row] += diff
        seen = Counter({row: count for row, count in content.items() if count != 0})
        expected = model.view(view, frontier - 1)
        if seen != expected:
            raise Violation(
                f"a subscriber of {view} at {frontier}: missing {_show(expected - seen)}, "
                f"too many {_show(seen - expected)}"
            )


def _show(rows: Counter[Row]) -> str:
    some = ", ".join(f"{row}x{count}" for row, count in sorted(rows.items(), key=repr)[:3])
    return f"{sum(rows.values())} ({some})" if rows else "none"

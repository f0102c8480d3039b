"""The table: what a replica needs when it connects.

The first row that applies decides, and its words are the reason that people read, in the log, in
the status, and in what `explain` says. A row is a predicate over one `Case`, a decision, and the
words; there is no other place where a kind of session is chosen. Equal cases give equal decisions,
and nothing that is not in the case takes part: not which kind was tried before, not how the
connection was lost.

    refuse      a stranger, a replica of a newer controller, no version in common
    keep up     it is where we are: no numbered command is sent again
    catch up    it is behind, in the unedited log: exactly what it missed
    reconcile   the full reduced set; absent means drop, what is unchanged keeps its state
    rebuild     the full reduced set, and all state anew
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from antiphon.controller.engine.decision import Decision, Refusal, Sync
from antiphon.controller.engine.observation import (
    Observation,
    lacking,
    maintained,
    reusable,
)
from antiphon.controller.engine.policy import DEFAULT, Policy
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.describe import kebab
from antiphon.protocol.errors import VersionMismatch
from antiphon.protocol.ids import NO_POSITION
from antiphon.protocol.version import choose


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a decision depends on. What many rows ask for is found out once."""

    observation: Observation
    policy: Policy = DEFAULT
    failures: int = 0  # sessions in a row that failed by what they found
    # The same process began a session that had to prove its content, and has not finished it. Its
    # position and digest were adopted when that session began: they say nothing of its content.
    unproven: bool = False
    differed: bool = False  # the same process held something else than the others

    @property
    def missing(self) -> int:
        """Commands between the replica and the head."""
        return self.observation.head - self.observation.position

    @cached_property
    def holds(self) -> int:
        """Maintained dataflows that the replica has."""
        return len(maintained(self.observation.facts))

    @cached_property
    def goes_on(self) -> bool:
        """Whether all that it should have at its position can go on as it is."""
        return not lacking(self.observation)

    @cached_property
    def can_stay(self) -> int:
        """Dataflows of the full set that can keep their state."""
        return len(reusable(self.observation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`sync` None: refuse. `code` is unique in the table, and stable."""

    code: str
    when: Callable[[Case], bool]
    sync: SyncDecision | None
    because: Callable[[Case], str]
    verify_content: bool = False


def decide(case: Case) -> Decision:
    """The decision of the first row that applies."""
    observation = case.observation
    row = next(row for row in TABLE if row.when(case))
    if row.sync is None:
        return Refusal(code=row.code, reason=f"refused because {row.because(case)}")
    suffix = row.sync in {SyncDecision.KEEP_UP, SyncDecision.CATCH_UP}
    return Sync(
        sync=row.sync,
        protocol_version=_version(observation),
        reason=f"{kebab(row.sync.name)} because {row.because(case)}",
        code=row.code,
        start=observation.position if suffix else NO_POSITION,
        target=observation.head,
        verify_content=row.verify_content,
    )


# What can be told from the facts.


def _version(observation: Observation) -> int:
    return choose(observation.versions, observation.facts.versions, observation.version_floor)


def _no_common_version(case: Case) -> bool:
    return _version_error(case) is not None


def _version_error(case: Case) -> str | None:
    try:
        _version(case.observation)
    except VersionMismatch as error:
        return error.message
    return None


def _is_strangers(case: Case) -> bool:
    return case.observation.facts.instance_id not in (None, case.observation.instance_id)


def _is_fenced(case: Case) -> bool:
    return case.observation.facts.highest_epoch > case.observation.epoch


def _is_new(case: Case) -> bool:
    return case.observation.facts.history_id is None


def _nothing_on_both_sides(case: Case) -> bool:
    return _is_new(case) and not case.holds and case.observation.head == NO_POSITION


def _is_contradictory(case: Case) -> bool:
    return case.observation.contradiction is not None


def _is_foreign(case: Case) -> bool:
    return case.observation.facts.history_id != case.observation.history_id


def _is_ahead(case: Case) -> bool:
    return case.observation.position > case.observation.head


def _differs(case: Case) -> bool:
    return case.observation.digest_agrees is False


def _is_unproven(case: Case) -> bool:
    return case.unproven


def _has_differed(case: Case) -> bool:
    return case.differed


def _is_at_head(case: Case) -> bool:
    return case.observation.position == case.observation.head and case.goes_on


def _is_settled(case: Case) -> bool:
    """Nothing is to be done: then failures of the past do not matter."""
    doubts = (_is_contradictory, _is_foreign, _differs, _is_unproven, _has_differed)
    agrees = _is_at_head(case) and not any(doubt(case) for doubt in doubts)
    return agrees or _nothing_on_both_sides(case)


def _is_in_log(case: Case) -> bool:
    # A digest that we cannot compare proves nothing: then the suffix is not known to fit.
    fits = case.observation.has_suffix and case.observation.digest_agrees is True
    # Commands that it missed are no cure for a dataflow that cannot go on.
    return fits and case.goes_on


def _failed_often(case: Case) -> bool:
    return case.failures >= case.policy.failures_before_rebuild and not _is_settled(case)


def _suffix_failed_often(case: Case) -> bool:
    return _is_in_log(case) and case.failures >= case.policy.failures_before_reconcile


def _is_too_far(case: Case) -> bool:
    allowed = case.policy.budgets[SyncDecision.CATCH_UP].entries_max
    return _is_in_log(case) and 0 < allowed < case.missing


# What is said of it.


def _place(case: Case) -> str:
    seen = case.observation
    if seen.has_suffix:
        return f"it is at position {seen.position} of {seen.head}"
    return f"it is at position {seen.position}, and the log begins at {seen.tail}"


def _say_new(case: Case) -> str:
    if case.holds:
        return f"it names no history, though it holds {_dataflows(case.holds)}"
    return "it is new: it has applied nothing yet"


def _say_stranger(case: Case) -> str:
    seen = case.observation
    return f"it belongs to instance {seen.facts.instance_id}, not to {seen.instance_id}"


def _say_fenced(case: Case) -> str:
    seen = case.observation
    return f"it has seen epoch {seen.facts.highest_epoch}, and ours is {seen.epoch}"


def _say_foreign(case: Case) -> str:
    return f"its history is {case.observation.facts.history_id}, not {case.observation.history_id}"


def _say_ahead(case: Case) -> str:
    seen = case.observation
    return f"it is at position {seen.position}, beyond the head {seen.head}: it diverged"


def _say_differs(case: Case) -> str:
    return f"its digest differs at position {case.observation.position}: it diverged"


def _say_failures(case: Case) -> str:
    return f"{case.failures} sessions in a row have failed"


def _say_in_log(case: Case) -> str:
    what = "1 command" if case.missing == 1 else f"{case.missing} commands"
    return f"{_place(case)}: it missed {what}"


def _say_reusable(case: Case) -> str:
    return f"{_place(case)}: {case.can_stay} of {_dataflows(len(case.observation.wanted))} can stay"


def _dataflows(count: int) -> str:
    return "1 dataflow" if count == 1 else f"{count} dataflows"


def _full(code: str, when: Callable[[Case], bool], because: Callable[[Case], str]) -> Iterator[Row]:
    """The replica's commands are not known to be ours: what it holds may stay where its content
    proves to be the same; where it holds nothing there is nothing to compare."""
    yield Row(
        code=code,
        when=lambda case: when(case) and case.holds > 0,
        sync=SyncDecision.RECONCILE,
        because=because,
        verify_content=True,
    )
    yield Row(code=f"{code}_empty", when=when, sync=SyncDecision.REBUILD, because=because)


TABLE: Final[tuple[Row, ...]] = (
    Row(code="instance_mismatch", when=_is_strangers, sync=None, because=_say_stranger),
    Row(code="epoch_fenced", when=_is_fenced, sync=None, because=_say_fenced),
    Row(
        code="version_mismatch",
        when=_no_common_version,
        sync=None,
        because=lambda case: str(_version_error(case)),
    ),
    Row(code="failed_often", when=_failed_often, sync=SyncDecision.REBUILD, because=_say_failures),
    Row(
        code="content_differed",
        when=_has_differed,
        sync=SyncDecision.REBUILD,
        because=lambda _: "its content was not that of the others",
    ),
    *_full("contradiction", _is_contradictory, lambda case: str(case.observation.contradiction)),
    Row(
        code="nothing_yet",
        when=_nothing_on_both_sides,
        sync=SyncDecision.KEEP_UP,
        because=lambda _: "it is new, and the history is empty",
    ),
    *_full("first_contact", _is_new, _say_new),
    *_full("other_history", _is_foreign, _say_foreign),
    *_full("ahead", _is_ahead, _say_ahead),
    *_full("digest_differs", _differs, _say_differs),
    *_full(
        "unproven", _is_unproven, lambda _: "its content was not proven before the session ended"
    ),
    Row(
        code="at_head",
        when=_is_at_head,
        sync=SyncDecision.KEEP_UP,
        because=lambda case: f"it is at the head {case.observation.head}, with the same digest",
    ),
    Row(
        code="suffix_failed_often",
        when=_suffix_failed_often,
        sync=SyncDecision.RECONCILE,
        because=_say_failures,
    ),
    Row(
        code="too_far",
        when=_is_too_far,
        sync=SyncDecision.RECONCILE,
        because=lambda case: f"{_say_in_log(case)}, more than a catch-up may send",
    ),
    Row(code="in_log", when=_is_in_log, sync=SyncDecision.CATCH_UP, because=_say_in_log),
    Row(
        code="reusable",
        when=lambda case: case.can_stay > 0,
        sync=SyncDecision.RECONCILE,
        because=_say_reusable,
    ),
    Row(
        code="nothing_reusable",
        when=lambda _: True,
        sync=SyncDecision.REBUILD,
        because=lambda case: f"{_place(case)}, and nothing that it holds can stay",
    ),
)
assert len({row.code for row in TABLE}) == len(TABLE), "every row has a name of its own"

"""Reconciliation: which dataflows keep their state when a full set of commands arrives, and why.

The full set says all there shall be. What is installed and not in it goes; what is in it under the
same exports stays with its state if nothing speaks against that:

    a   it is the same work (by fingerprint), and it started no later than is asked for now
    b   it has not been compacted beyond the time that is asked for
    c   it is no subscribe: a subscriber's sequence begins anew on every connection
    d   it is no copy-to
    e   what it reads from other dataflows of this replica stays as well; otherwise it would hold on
        to an input that is gone
    f   it runs: one that could not is given another chance
    g   what it has yet to read is readable where it is asked for to start; a dataflow that lies
        farther behind would ask the store for what nobody keeps for it
    h   it belongs to this history, and the controller did not ask for everything to be built anew

Pure: a verdict for every dataflow on either side, as values that are applied and shown as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from antiphon.protocol.command import AllowCompaction, CreateDataflow, Sent
from antiphon.protocol.dataflow import CopyToExport, DataflowDescription, SubscribeExport
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import Frontier, meet_all
from antiphon.protocol.ids import CollectionId, show

Key = tuple[CollectionId, ...]  # the exports of a dataflow, sorted


class Bar(Enum):
    """What keeps a dataflow from being reused. The letter is the rule's."""

    OTHER_WORK = "a: its plan, imports or exports differ"
    STARTED_LATER = "a: it started after the time that is asked for"
    COMPACTED = "b: it is compacted beyond the time that is asked for"
    SUBSCRIBES = "c: a subscribe begins anew"
    COPIES = "d: a copy-to begins anew"
    INPUT_REPLACED = "e: a dataflow that it reads does not stay"
    CANNOT_RUN = "f: it could not run"
    FELL_BEHIND = "g: what it has yet to read may be gone"
    FOREIGN = "h: it belongs to another history"
    DISCARDED = "h: everything is to be built anew"
    SPOILED = "h: what was read from the store did not fit"


class Outcome(Enum):
    KEPT = "kept"
    REPLACED = "replaced"
    CREATED = "created"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One dataflow as it is installed."""

    key: Key  # of the exports that are not dropped
    fingerprint: bytes
    as_of: Frontier  # where it loads its inputs
    since: Frontier  # its content is readable from here on
    inputs_upper: Frontier  # it has everything before this from the store; closed: it needs no more
    runs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one dataflow. `bars`: why it was replaced, all that applies."""

    key: Key
    outcome: Outcome
    bars: tuple[Bar, ...] = ()

    def __str__(self) -> str:
        names = ", ".join(show(collection) for collection in self.key)
        reasons = "; ".join(bar.value for bar in self.bars)
        return f"{names} {self.outcome.value}" + (f" ({reasons})" if reasons else "")


def key_of(dataflow: DataflowDescription) -> Key:
    return tuple(sorted(export.collection for export in dataflow.exports))


def reconcile(
    standing: Sequence[Standing],
    wanted: Sequence[DataflowDescription],
    *,
    local_imports: Sequence[Key],
    bar: Bar | None = None,
) -> tuple[Verdict, ...]:
    """A verdict for every dataflow: first those that are dropped, then `wanted` in its order.

    Args:
        wanted: the full set's dataflows, inputs before those who read them.
        local_imports: of each of `wanted`, what it reads from other dataflows of this replica.
        bar: speaks against every reuse.

    O(dataflows).
    """
    installed = {found.key: found for found in standing}
    verdicts: list[Verdict] = []
    kept: set[CollectionId] = set()
    for dataflow, reads in zip(wanted, local_imports, strict=True):
        key = key_of(dataflow)
        found = installed.pop(key, None)
        if found is None:
            verdicts.append(Verdict(key=key, outcome=Outcome.CREATED))
            continue
        bars = _bars(found, dataflow)
        if not kept.issuperset(reads):
            bars.append(Bar.INPUT_REPLACED)
        if bar is not None:
            bars.append(bar)
        if bars:
            verdicts.append(Verdict(key=key, outcome=Outcome.REPLACED, bars=tuple(bars)))
        else:
            kept.update(key)
            verdicts.append(Verdict(key=key, outcome=Outcome.KEPT))
    gone = [Verdict(key=key, outcome=Outcome.DROPPED) for key in installed]
    return (*gone, *verdicts)


def _bars(found: Standing, wanted: DataflowDescription) -> list[Bar]:
    """What of the two alone speaks against reuse."""
    as_of = wanted.as_of
    assert as_of.time is not None, "a dataflow starts at a time"
    bars: list[Bar] = []
    if found.fingerprint != fingerprint_of(wanted):
        bars.append(Bar.OTHER_WORK)
    if not found.as_of.less_equal(as_of):
        bars.append(Bar.STARTED_LATER)
    if not found.since.less_equal(as_of):
        bars.append(Bar.COMPACTED)
    kinds = [export.kind for export in wanted.exports]
    if any(isinstance(kind, SubscribeExport) for kind in kinds):
        bars.append(Bar.SUBSCRIBES)
    if any(isinstance(kind, CopyToExport) for kind in kinds):
        bars.append(Bar.COPIES)
    if not found.runs:
        bars.append(Bar.CANNOT_RUN)
    # From where it is asked to start its inputs are promised; what is before that is not.
    if found.as_of != as_of and not found.inputs_upper.passes(as_of.time):
        bars.append(Bar.FELL_BEHIND)
    return bars


def advanced(commands: Sequence[Sent]) -> list[Sent]:
    """A suffix's commands with every creation at the time that its exports may be compacted to.

    A suffix is unedited, so that its digest can be compared, and creates dataflows where they were
    created once. The compaction map that follows says where they are readable now: inputs are
    promised from there on, and not before.
    """
    allowed: dict[CollectionId, Frontier] = {}
    for sent in commands:
        command = sent.command
        if isinstance(command, AllowCompaction) and not command.frontier.is_closed:
            allowed |= dict.fromkeys(command.collections, command.frontier)
    return [_advanced(sent, allowed) for sent in commands]


def _advanced(sent: Sent, allowed: dict[CollectionId, Frontier]) -> Sent:
    if not isinstance(sent.command, CreateDataflow):
        return sent
    dataflow = sent.command.dataflow
    start = dataflow.as_of
    floor = meet_all([allowed.get(export.collection, start) for export in dataflow.exports])
    moved = replace(dataflow, as_of=start.join(floor))
    return Sent(sent.position, CreateDataflow(dataflow=moved))

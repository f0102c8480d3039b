"""From when each maintained dataflow starts, when a controller comes up.

Every dataflow has bounds. From below: what its own readers were promised, and the since of whatever
it reads; these are hard. From above: a materialized view must compute the next output of its shard,
so it starts before the shard's upper; an index need not start later than its readers want. The
latest start within the bounds is chosen: it needs the least history. Where bounds exclude each
other, the lower one wins, because what was let go of cannot be read, and the conflict is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A maintained dataflow of the history."""

    collection: CollectionId
    inputs: tuple[CollectionId, ...]
    as_of: int  # as stored, joined with the compaction that its readers allowed
    shard_upper: Frontier | None = None  # materialized views: where their shard stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    as_of: Mapping[CollectionId, int]
    conflicts: tuple[str, ...]  # hard bounds that exclude each other: outputs are missing there


def select(
    candidates: Sequence[Candidate],
    stored_since: Mapping[CollectionId, int],
    *,
    timeline_upper: int,
    retain_ms: int,
    held: Mapping[CollectionId, int] | None = None,
) -> Selection:
    """`candidates` in order of creation: inputs before what reads them.

    `stored_since`: of every table and feed. `held`: the times from which named holds still read a
    collection. Returns one time for each candidate, at or after the
    since of all its inputs.
    """
    lower = _lower_bounds(candidates, stored_since)
    conflicts: list[str] = []
    upper: dict[CollectionId, int] = {}
    for candidate in reversed(candidates):
        # Dependants were created later, so their bounds on this one are known by now.
        wanted = max(timeline_upper - 1 - retain_ms, 0)
        bound = min(
            upper.get(candidate.collection, wanted),
            _output_bound(candidate, wanted),
            (held or {}).get(candidate.collection, wanted),
        )
        if bound < lower[candidate.collection]:
            if _loses_output(candidate, lower[candidate.collection]):
                conflicts.append(
                    f"{show(candidate.collection)} cannot start before "
                    f"{lower[candidate.collection]}, and its shard ends at "
                    f"{candidate.shard_upper}: outputs between are skipped"
                )
            bound = lower[candidate.collection]
        upper[candidate.collection] = bound
        for needed in candidate.inputs:
            upper[needed] = min(upper.get(needed, wanted), bound)
    as_of = {candidate.collection: upper[candidate.collection] for candidate in candidates}
    return Selection(as_of=as_of, conflicts=tuple(reversed(conflicts)))


def _lower_bounds(
    candidates: Sequence[Candidate], stored_since: Mapping[CollectionId, int]
) -> dict[CollectionId, int]:
    """What is gone for good: nothing may start before its inputs can be read."""
    lower = dict(stored_since)
    for candidate in candidates:
        bounds = [candidate.as_of, *(lower[needed] for needed in candidate.inputs)]
        lower[candidate.collection] = max(bounds)
    return lower


def _output_bound(candidate: Candidate, wanted: int) -> int:
    """The latest start that skips no output of a shard; a shard that is closed needs none."""
    if candidate.shard_upper is None or candidate.shard_upper.time is None:
        return wanted
    return max(candidate.shard_upper.time - 1, candidate.as_of)


def _loses_output(candidate: Candidate, start: int) -> bool:
    if candidate.shard_upper is None or not candidate.shard_upper.time:
        return False
    return candidate.shard_upper.time - 1 < start and candidate.as_of < start

"""What makes a retry safe: producers with sequences, and which errors may be retried.

A producer's sequences are strictly increasing, and the store answers a repeated one instead of
applying it. Two appends of one producer must therefore never be under way together: the later could
overtake the earlier, which would then be taken for a repeat and be lost. So each append leases a
producer for itself; concurrent appends use different ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from antiphon.client.statements import Effect
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    DuplicateKey,
    EpochFenced,
    LinkTimeout,
    OutcomeUnknown,
    StorePoisoned,
    Unavailable,
)
from antiphon.protocol.ids import ProducerId

WAITED: Final = "waited_s"  # a detail: the server itself has waited for what was not there

# Indefinite errors that another attempt may mend. `Internal` is not among them: it is a bug, and
# repeating it only hides it.
_WORTH_REPEATING: Final = (LinkTimeout, OutcomeUnknown, StorePoisoned)


@dataclass(frozen=True, slots=True)
class Lease:
    """One numbered change: every attempt of it carries the same pair."""

    producer: ProducerId
    sequence: int


@dataclass(slots=True)
class Producers:
    """The idle producers of one client. At most one lease of a producer is out at any time."""

    draw: Callable[[], bytes]  # 16 fresh random bytes
    _idle: list[Lease] = field(default_factory=list)  # the last lease that each has settled

    def lease(self) -> Lease:
        if self._idle:
            last = self._idle.pop()
            return Lease(last.producer, last.sequence + 1)
        return Lease(ProducerId(self.draw()), 1)

    def settle(self, lease: Lease, *, known: bool) -> None:
        """Returns a producer. `known`: whether the outcome of its change is. If it is not, the
        change may still arrive, so the producer is given up rather than used beside it."""
        if known:
            self._idle.append(lease)


def may_repeat(error: BaseException, *, harmless: bool) -> bool:
    """Whether to try again after `error`. `harmless`: a second application changes nothing, because
    the request only reads or because it carries a sequence."""
    if isinstance(error, Unavailable):
        # Nothing was done; but who has waited there for long enough is not kept waiting here.
        return WAITED not in error.details
    if isinstance(error, EpochFenced):
        return True  # nothing was done, and who was replaced makes room for another
    return harmless and isinstance(error, _WORTH_REPEATING)


def is_known(error: BaseException) -> bool:
    """Whether the error says for certain that nothing happened."""
    return isinstance(error, ComputeError) and error.definite


@dataclass(slots=True)
class Attempts:
    """What the attempts of one numbered change, taken together, say of its outcome.

    A refusal speaks for the attempt it answers. An earlier one, whose answer was lost, may still
    have taken effect: only a refusal that the store gave for this very sequence rules that out.
    """

    is_known: bool = True

    def failed(self, error: BaseException) -> None:
        if isinstance(error, DuplicateKey):
            self.is_known = True  # the store looks at the sequence first, and found it unused
        elif not is_known(error):
            self.is_known = False

    def succeeded(self) -> None:
        self.is_known = True

    def outcome(self, error: ComputeError) -> ComputeError:
        """What to tell of the last attempt's error."""
        if self.is_known or not error.definite:
            return error
        return OutcomeUnknown(
            f"the last attempt failed ({error.message}), an earlier one may have taken effect",
            code=error.code,
        )


def is_harmless(effect: Effect, *, sequenced: bool) -> bool:
    """Whether repeating a statement changes nothing."""
    return effect is Effect.READ or (effect is Effect.CHANGE and sequenced)


def explain(error: AntiphonError) -> str:
    """The error in one line: its message, and the details that the message does not hold."""
    if not isinstance(error, ComputeError):
        return " ".join(str(error).split())
    # Sorted: a map has no order once it has travelled.
    details = sorted(error.details.items())
    rest = [f"{name}={value}" for name, value in details if value not in error.message]
    text = error.message + (f" ({', '.join(rest)})" if rest else "")
    return " ".join(text.split())

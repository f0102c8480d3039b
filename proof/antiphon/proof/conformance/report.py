"""The report: every outcome, as a table or as JSON, and whether the party conforms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from antiphon.proof.conformance.rules import Violation
from antiphon.proof.conformance.verdict import Outcome, Verdict, one_line

COLUMNS = ("number", "title", "verdict", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One check that ran: its own outcome, and what its sessions broke of the rules."""

    outcome: Outcome
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found about one replica, or about one controller: `party` says which."""

    replica: str  # its name; of a controller: its address
    outcomes: tuple[Outcome, ...]
    party: str = "replica"

    def count(self, verdict: Verdict) -> int:
        return sum(outcome.verdict is verdict for outcome in self.outcomes)

    @property
    def conforms(self) -> bool:
        """Nothing failed, and something passed: a replica that serves nothing proves nothing."""
        return self.count(Verdict.FAIL) == 0 and self.count(Verdict.PASS) > 0

    @property
    def summary(self) -> str:
        counts = ", ".join(f"{self.count(verdict)} {verdict.value}" for verdict in Verdict)
        return f"{self.replica}: {counts}"

    def verdict(self, number: str) -> Verdict:
        """Of the check with this number."""
        for outcome in self.outcomes:
            if number in outcome.numbers:
                return outcome.verdict
        raise KeyError(number)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table below `COLUMNS`; what a check has to say follows its title."""
        return [row_of(outcome) for outcome in self.outcomes]

    def as_json(self) -> dict[str, Any]:
        return {
            self.party: self.replica,
            "conforms": self.conforms,
            "checks": [
                {
                    "numbers": list(outcome.numbers),
                    "title": outcome.title,
                    "verdict": outcome.verdict.value,
                    "detail": outcome.detail,
                    "seconds": round(outcome.seconds, 3),
                }
                for outcome in self.outcomes
            ],
        }


def row_of(outcome: Outcome) -> tuple[str, str, str, str]:
    title = f"{outcome.title}: {outcome.detail}" if outcome.detail else outcome.title
    return (
        " ".join(outcome.numbers),
        title,
        outcome.verdict.value,
        f"{outcome.seconds:.1f}",
    )


def settle(name: str, finished: Sequence[Finished], party: str = "replica") -> Report:
    """The outcomes with each violation where it belongs.

    A rule that was broken during one check fails the check that carries the rule's number, and
    says where it was seen; if that one did not run, it fails the check during which it was broken.
    """
    owners = {number: one.outcome for one in finished for number in one.outcome.numbers}
    blamed: dict[tuple[str, ...], list[str]] = {}
    for one in finished:
        for violation in one.violations:
            owner = owners.get(violation.number, one.outcome)
            where = "" if owner is one.outcome else f" (during {' '.join(one.outcome.numbers)})"
            blamed.setdefault(owner.numbers, []).append(violation.text + where)
    return Report(
        replica=name,
        party=party,
        outcomes=tuple(
            _blame(one.outcome, blamed.get(one.outcome.numbers, ())) for one in finished
        ),
    )


def _blame(outcome: Outcome, texts: Iterable[str]) -> Outcome:
    found = list(dict.fromkeys(texts))
    if not found:
        return outcome
    if outcome.verdict is Verdict.FAIL:
        found.insert(0, outcome.detail)
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return replace(outcome, verdict=Verdict.FAIL, detail=one_line("; ".join(found[:2]) + more, 500))

"""The ledger of behaviours is whole: every number has a decision, every test that it names exists,
and no test carries a number that the ledger does not know of."""

from __future__ import annotations

from typing import Final

from tests.behaviours import (
    CONFORMANCE,
    DOCUMENT,
    SECTIONS,
    carried,
    entered,
    names,
    reasons,
    rows,
)
from tests.test_tidy import assert_none

TEXT: Final = DOCUMENT.read_text("utf-8")
ROWS: Final = rows(TEXT)
HOW_TO_MEND: Final = "run `python -m tests.behaviours`"


def test_every_number_is_there_once_and_in_order() -> None:
    for section, count in SECTIONS.items():
        numbers = [row.key[1] for row in ROWS if row.key[0] == section]
        assert numbers == list(range(1, count + 1)), section


def test_every_decision_is_one_of_three() -> None:
    assert_none(
        f"{row.key}: {row.decision}"
        for row in ROWS
        if row.decision not in {"kept", "changed", "deferred"}
    )


def test_what_is_not_kept_says_why_and_what_is_kept_needs_no_reason() -> None:
    lines = {
        "kept": {""},
        "changed": set(reasons(TEXT, "What changes a number")),
        "deferred": set(reasons(TEXT, "What defers a number")),
    }
    assert_none(
        f"{row.key}: {row.decision} by {row.line or 'nothing'}"
        for row in ROWS
        if row.line not in lines[row.decision]
    )


def test_every_reason_is_somebodys() -> None:
    used = {row.line for row in ROWS}
    defined = reasons(TEXT, "What changes a number") + reasons(TEXT, "What defers a number")
    assert defined
    assert_none(f"nothing is changed or deferred by {name}" for name in defined if name not in used)


def test_every_test_that_is_named_exists() -> None:
    known = names()
    assert_none(
        f"{row.key}: {test} is not there; {HOW_TO_MEND}"
        for row in ROWS
        for test in row.tests
        if test not in known
    )


def test_no_number_is_carried_by_a_test_that_the_ledger_does_not_name() -> None:
    by_key = {row.key: row for row in ROWS}
    offences = []
    for key, tests in carried().items():
        if key not in by_key:
            offences.append(f"{tests[0]}: there is no {key[0]} {key[1]}")
            continue
        offences += [
            f"{key[0]} {key[1]}: {test} is not in the table; {HOW_TO_MEND}"
            for test in tests
            if test not in by_key[key].tests
        ]
    assert_none(offences)


def test_a_check_that_is_claimed_is_registered() -> None:
    assert_none(
        f"{row.key}: the suite has no such check; {HOW_TO_MEND}"
        for row in ROWS
        if CONFORMANCE in row.tests and CONFORMANCE not in carried().get(row.key, ())
    )


def test_entering_what_is_there_changes_nothing() -> None:
    assert entered(TEXT) == TEXT, HOW_TO_MEND

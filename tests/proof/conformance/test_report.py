"""A violation fails the check it belongs to, wherever it was seen."""

from __future__ import annotations

import json

import pytest

from antiphon.proof.conformance.report import Finished, Report, row_of, settle
from antiphon.proof.conformance.rules import Violation
from antiphon.proof.conformance.verdict import Outcome, Verdict


def finished(
    *numbers: str, verdict: Verdict = Verdict.PASS, detail: str = "", broke: str = ""
) -> Finished:
    violations = (Violation(number=broke, text=f"broke {broke}"),) if broke else ()
    outcome = Outcome(
        numbers=numbers, title=f"check {numbers[0]}", verdict=verdict, detail=detail, seconds=0.25
    )
    return Finished(outcome=outcome, violations=violations)


def test_a_violation_fails_the_check_with_its_number() -> None:
    report = settle("r1", [finished("11"), finished("22", broke="11")])
    assert report.verdict("22") is Verdict.PASS
    assert report.verdict("11") is Verdict.FAIL
    assert report.outcomes[0].detail == "broke 11 (during 22)"


def test_a_violation_whose_check_did_not_run_fails_where_it_was_seen() -> None:
    report = settle("r1", [finished("22", broke="11")])
    assert report.verdict("22") is Verdict.FAIL
    assert report.outcomes[0].detail == "broke 11"


def test_a_check_that_failed_by_itself_says_so_first() -> None:
    failed = finished("11", verdict=Verdict.FAIL, detail="expected a; seen b", broke="11")
    report = settle("r1", [failed, finished("22", broke="11"), finished("23", broke="11")])
    assert report.outcomes[0].detail == "expected a; seen b; broke 11 and 2 more"


def test_a_second_number_of_a_check_is_its_own_too() -> None:
    report = settle("r1", [finished("7", "D2"), finished("22", broke="D2")])
    assert report.verdict("7") is Verdict.FAIL


def test_a_replica_conforms_if_nothing_failed_and_something_passed() -> None:
    passed, missing = finished("1"), finished("49", verdict=Verdict.NOT_APPLICABLE)
    assert settle("r1", [passed, missing]).conforms
    assert not settle("r1", [missing]).conforms
    assert not settle("r1", [passed, finished("2", verdict=Verdict.FAIL)]).conforms


def test_the_table_and_the_json_say_the_same() -> None:
    report = settle("r1", [finished("7", "D2", verdict=Verdict.FAIL, detail="why")])
    assert report.rows() == [("7 D2", "check 7: why", "fail", "0.2")]
    assert json.loads(json.dumps(report.as_json())) == {
        "replica": "r1",
        "conforms": False,
        "checks": [
            {
                "numbers": ["7", "D2"],
                "title": "check 7",
                "verdict": "fail",
                "detail": "why",
                "seconds": 0.25,
            }
        ],
    }
    assert report.summary == "r1: 0 pass, 1 fail, 0 n/a"


def test_a_pass_has_nothing_to_say() -> None:
    assert row_of(finished("1").outcome)[1] == "check 1"


def test_a_number_that_was_not_checked_has_no_verdict() -> None:
    with pytest.raises(KeyError):
        Report(replica="r1", outcomes=()).verdict("1")

"""The checks of what a controller gets wrong catch a replica that answers anyway, or never."""

from __future__ import annotations

from antiphon.proof.conformance import Verdict
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import report_of


async def test_rows_for_a_read_that_makes_no_sense_are_caught() -> None:
    # The fake replica looks at no finishing, so it answers with rows.
    report = await report_of(Fault.NONE, "D20")
    assert report.verdict("D20") is Verdict.FAIL
    assert "an order by a column that is not there; seen 3 rows" in report.outcomes[0].detail


async def test_silence_about_a_dataflow_that_cannot_run_is_caught() -> None:
    # The fake replica waits for ever for what it cannot read.
    report = await report_of(Fault.NONE, "D21")
    assert report.verdict("D21") is Verdict.FAIL
    assert "an error for an import that is not there; seen nothing" in report.outcomes[0].detail

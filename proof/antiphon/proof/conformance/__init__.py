"""A scripted controller against any replica, and scripted replicas against any controller: numbered
checks, over the wire and nothing else.

    run         the engine: `await run("127.0.0.1:6871")` gives a `Report`
    controllers the other way round: `await controllers.run("127.0.0.1:6870")`
    registry    checks and their numbers        checks/     the checks, chapter by chapter
    verdict     pass, fail, not applicable      report      all outcomes, and whether it conforms
    transcript  what a stream said              rules       what no stream may ever show
    store       the scripted store              content     its rows and batches
    dataflows   the checks' commands            positions   the history they are numbered in
    ports       what checks may do              steps       what many of them do
    io/         all of it over gRPC

Nothing here imports a replica or a controller; the suite speaks `antiphon.v1` and judges by it.
"""

from antiphon.proof.conformance import controllers
from antiphon.proof.conformance.io.run import COLLECTIONS_LISTEN, restart_by, run
from antiphon.proof.conformance.report import COLUMNS, Report, row_of
from antiphon.proof.conformance.verdict import Outcome, Verdict

__all__ = [
    "COLLECTIONS_LISTEN",
    "COLUMNS",
    "Outcome",
    "Report",
    "Verdict",
    "controllers",
    "restart_by",
    "row_of",
    "run",
]

"""`antiphon conformance replica`: the conformance suite, as a table or as JSON."""

from __future__ import annotations

import asyncio

import typer

from antiphon.cli import output
from antiphon.cli.failure import FAILURE
from antiphon.proof.conformance import COLUMNS, Outcome, restart_by, run


def replica(
    address: str,
    *,
    collections_listen: str,
    only: str,
    token: str | None,
    restart: str | None,
    as_json: bool,
) -> None:
    """One line a check, its reason behind its title; ends with 1 unless the replica conforms."""
    with output.errors().status("...") as shown:

        def progress(outcome: Outcome) -> None:
            shown.update(f"{' '.join(outcome.numbers)} {outcome.verdict.value}")

        report = asyncio.run(
            run(
                address,
                collections_listen=collections_listen,
                only=[number for number in only.split(",") if number.strip()],
                token=token,
                restart=None if restart is None else restart_by(restart),
                progress=progress,
            )
        )
    if as_json:
        output.print_json(report.as_json())
    else:
        output.print_rows(COLUMNS, report.rows(), numeric=(True, False, False, True))
        output.note(report.summary)
    if not report.conforms:
        raise typer.Exit(FAILURE)

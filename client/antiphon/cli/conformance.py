"""`antiphon conformance`: the conformance suites, as a table or as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import typer

from antiphon.cli import output
from antiphon.cli.exit_codes import FAILURE
from antiphon.proof.conformance import COLUMNS, Outcome, Report, controllers, restart_by, run

Progress = Callable[[Outcome], None]


def replica(
    address: str,
    *,
    collections_listen: str,
    only: str,
    token: str | None,
    restart: str | None,
    as_json: bool,
) -> None:
    """A scripted controller against the replica at the address."""
    _report(
        lambda progress: run(
            address,
            collections_listen=collections_listen,
            only=_numbers(only),
            token=token,
            restart=None if restart is None else restart_by(restart),
            progress=progress,
        ),
        as_json=as_json,
    )


def controller(
    address: str, *, replicas_host: str, only: str, token: str | None, as_json: bool
) -> None:
    """Scripted replicas against the controller at the address."""
    _report(
        lambda progress: controllers.run(
            address,
            replicas_host=replicas_host,
            only=_numbers(only),
            token=token,
            progress=progress,
        ),
        as_json=as_json,
    )


def _numbers(only: str) -> list[str]:
    return [number for number in only.split(",") if number.strip()]


def _report(start: Callable[[Progress], Coroutine[Any, Any, Report]], *, as_json: bool) -> None:
    """One line a check, its reason behind its title; ends with 1 unless the party conforms."""
    with output.errors().status("...") as shown:

        def progress(outcome: Outcome) -> None:
            shown.update(f"{' '.join(outcome.numbers)} {outcome.verdict.value}")

        report = asyncio.run(start(progress))
    if as_json:
        output.print_json(report.as_json())
    else:
        output.print_rows(COLUMNS, report.rows(), numeric=(True, False, False, True))
        output.note(report.summary)
    if not report.conforms:
        raise typer.Exit(FAILURE)

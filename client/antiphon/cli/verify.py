"""`antiphon history verify`: a store that nobody need have open, checked whole."""

from __future__ import annotations

import dataclasses

import typer

from antiphon.cli import output
from antiphon.cli.exit_codes import FAILURE
from antiphon.controller.io.config import load_config
from antiphon.history.io.sqlite import verify_store

REMEDY = (
    "stop the controller, check the disk, and restore the data directory from a copy; what was"
    " written after the copy is lost"
)


def verify(config: str | None, data: str | None, *, as_json: bool) -> None:
    """One line a damage. Ends with 1 if there is any."""
    directory = load_config(config, data=data).data
    found = verify_store(directory)
    if as_json:
        output.print_json({"directory": str(directory), **dataclasses.asdict(found)})
    elif found.damage:
        output.print_rows(("damage",), [(line,) for line in found.damage])
        output.note(REMEDY)
    else:
        print(
            f"the store in {directory} is whole: {found.commands} commands, {found.shards} shards,"
            f" {found.parts} parts"
        )
    if found.damage:
        raise typer.Exit(FAILURE)

"""`antiphon sql`: one statement, a script, or the shell; and how every command gets its client."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from antiphon.cli import output
from antiphon.cli.settings import client_settings
from antiphon.client import PATIENCE_S, Client, Result, connect
from antiphon.client.statements import Effect, effect_of, in_script, split, subscribe_target
from antiphon.protocol.errors import ComputeError, InvalidSql

PROMPT_PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options that every command against a controller has; None: as configured."""

    address: str | None
    token: str | None
    config: str | None
    json: bool


@contextmanager
def connected(settings: Settings, *, patient: bool = False) -> Iterator[Client]:
    """A client as configured, closed in the end. `patient`: it sits out a restart of the
    controller; a person at a prompt would rather hear of it soon."""
    configured = client_settings(settings.config, address=settings.address, token=settings.token)
    client = connect(
        configured.address,
        token=configured.secret,
        tls=configured.tls,
        patience_s=PATIENCE_S if patient else PROMPT_PATIENCE_S,
    )
    with client:
        yield client


def sql(
    settings: Settings,
    *,
    commands: Sequence[str],
    file: str | None,
    as_of: int | None,
    replica: str,
) -> None:
    """Runs what was asked for; without -c and -f on a terminal, the shell."""
    if not commands and file is None and sys.stdin.isatty():
        from antiphon.cli.shell import Shell

        with connected(settings) as client:
            Shell(client, as_json=settings.json).run()
        return
    scripts = [split(text) for text in commands or (_read(file),)]
    if any(script.is_open for script in scripts):
        raise InvalidSql("the text ends inside a quote or a comment")
    with connected(settings) as client:
        places = (
            each for script in scripts for each in zip(script.all, script.places, strict=False)
        )
        for statement, place in places:
            if effect_of(statement) is Effect.SUBSCRIBE:
                from antiphon.cli.follow import follow

                follow(client, subscribe_target(statement), as_json=settings.json)
                continue
            try:
                result = client.sql(statement, as_of=as_of, replica=replica)
            except ComputeError as error:
                moved = in_script(error, place)
                if moved is error:
                    raise
                raise moved from error
            print_result(result, as_json=settings.json)


def print_result(result: Result, *, as_json: bool) -> None:
    """Rows to stdout; on a terminal the tag goes below them, else only that of changes."""
    if as_json:
        output.print_json(
            {
                "tag": result.tag,
                "time": result.time,
                "rows": None if result.table is None else result.dicts(),
                "notices": list(result.notices),
            }
        )
        return
    for notice in result.notices:
        output.note(f"notice: {notice}")
    if result.table is not None:
        output.print_rows(result.columns, result.rows(), numeric(result.table.schema))
    if output.is_terminal() or result.table is None:
        sys.stdout.write(result.tag + "\n")


def numeric(schema: pa.Schema) -> list[bool]:
    """Which columns are numbers."""
    return [
        pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_decimal(f.type)
        for f in schema
    ]


def _read(file: str | None) -> str:
    return sys.stdin.read() if file is None or file == "-" else Path(file).read_text()

"""`antiphon sql`: one statement, a script, or the shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon.cli.answer import print_result
from antiphon.cli.connecting import connected
from antiphon.cli.follow import follow
from antiphon.cli.options import Settings
from antiphon.cli.shell import Shell
from antiphon.client.statements import Effect, effect_of, in_script, split, subscribe_target
from antiphon.protocol.errors import ComputeError, InvalidSql


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


def _read(file: str | None) -> str:
    return sys.stdin.read() if file is None or file == "-" else Path(file).read_text()

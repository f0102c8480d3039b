"""Options that most commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from antiphon.protocol.frontier import TIME_MAX


def time_of(text: str) -> int:
    """A logical time, as it is given on the command line."""
    if not (text.isascii() and text.isdecimal() and int(text) <= TIME_MAX):
        raise typer.BadParameter(f"a time is a whole number from 0 to {TIME_MAX}, not {text}")
    return int(text)


Address = Annotated[
    str | None,
    typer.Option(
        "--address", "-a", help="Where the controller is; or ANTIPHON_ADDRESS.", metavar="ADDR"
    ),
]
Token = Annotated[
    str | None,
    typer.Option("--token", help="The secret of all calls; or ANTIPHON_TOKEN.", metavar="TEXT"),
]
Config = Annotated[
    str | None,
    typer.Option("--config", help="A TOML file; ./antiphon.toml if it is there.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Data = Annotated[str | None, typer.Option("--data", help="The data directory.", metavar="DIR")]
Listen = Annotated[
    str | None,
    typer.Option("--listen", help="Where to listen.", metavar="HOST:PORT|unix:PATH"),
]
StandBy = Annotated[
    bool, typer.Option("--standby", help="Follow the live controller of DIR, until promoted.")
]
WatchStdin = Annotated[bool, typer.Option("--watch-stdin", help="Stop when standard input closes.")]
Replica = Annotated[
    str, typer.Option("--replica", help="Read from this replica alone.", metavar="NAME")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options that every command against a controller has; None: as configured."""

    address: str | None
    token: str | None
    config: str | None
    json: bool

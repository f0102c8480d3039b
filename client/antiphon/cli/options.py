"""Options that most commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Address = Annotated[
    str | None,
    typer.Option("--address", "-a", help="The controller. [env: ANTIPHON_ADDRESS]", metavar="ADDR"),
]
Token = Annotated[str | None, typer.Option("--token", help="[env: ANTIPHON_TOKEN]", metavar="TEXT")]
Config = Annotated[
    str | None,
    typer.Option("--config", help="A TOML file; ./antiphon.toml if it is there.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Data = Annotated[str | None, typer.Option("--data", help="The data directory.", metavar="DIR")]
StandBy = Annotated[
    bool, typer.Option("--standby", help="Follow the live controller of DIR, until promoted.")
]
WatchStdin = Annotated[bool, typer.Option("--watch-stdin", help="Stop when standard input closes.")]
Replica = Annotated[
    str, typer.Option("--replica", help="Read from this replica alone.", metavar="NAME")
]

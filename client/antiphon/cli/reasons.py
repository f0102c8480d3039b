"""The commands that say why: the history, and the decisions that were made from it."""

from __future__ import annotations

from typing import Annotated

import typer

from antiphon.cli.options import Address, Config, Data, Json, Settings, Token

history_app = typer.Typer(help="The durable commands.", no_args_is_help=True)
explain_app = typer.Typer(help="Why things are as they are.", no_args_is_help=True)


@history_app.command("show")
def history_show(
    from_position: Annotated[
        int, typer.Option("--from", help="Begin there.", min=1, metavar="POSITION")
    ] = 1,
    limit: Annotated[int, typer.Option("--limit", min=0, help="0: all.")] = 0,
    reduced: Annotated[bool, typer.Option("--reduced", help="Only what still matters.")] = False,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print the durable commands, oldest first."""
    from antiphon.cli import history

    settings = Settings(address=address, token=token, config=config, json=json)
    history.show(settings, from_position=from_position, records_max=limit, reduced=reduced)


@history_app.command("status")
def history_status(
    address: Address = None, token: Token = None, config: Config = None, json: Json = False
) -> None:
    """Where the history's base and head are, and what of the log is kept for whom."""
    from antiphon.cli import history

    history.status(Settings(address=address, token=token, config=config, json=json))


@history_app.command("verify")
def history_verify(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Check all of a store, without a controller: 1 if anything is damaged."""
    from antiphon.cli import verify

    verify.verify(config, data, as_json=json)


@explain_app.command("replica")
def explain_replica(
    name: Annotated[str, typer.Argument(help="The replica's name.", metavar="NAME")],
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print what was decided about a replica whenever it came, why, and what became of it."""
    from antiphon.cli import history

    settings = Settings(address=address, token=token, config=config, json=json)
    history.explain(settings, name)

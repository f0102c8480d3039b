"""`antiphon conformance`: names and options; nothing that is slow to import."""

from __future__ import annotations

from typing import Annotated

import typer

from antiphon.cli.options import Json, Token

conformance_app = typer.Typer(
    help="Whether a replica or a controller keeps to the protocol.", no_args_is_help=True
)


@conformance_app.command("replica")
def conformance_replica(
    address: Annotated[
        str, typer.Argument(help="Where it listens.", metavar="HOST:PORT|unix:PATH")
    ],
    collections_listen: Annotated[
        str,
        typer.Option(
            "--collections-listen",
            help="Where the replica was told that its controller is.",
            metavar="ADDR",
        ),
    ] = "127.0.0.1:6870",
    only: Annotated[str, typer.Option("--only", help="Only these checks.", metavar="N,...")] = "",
    restart: Annotated[
        str | None,
        typer.Option("--restart", help="Kills the replica and starts it.", metavar="COMMAND"),
    ] = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Check a replica of any make against the compute protocol; it loses what it holds."""
    from antiphon.cli import conformance

    conformance.replica(
        address,
        collections_listen=collections_listen,
        only=only,
        token=token,
        restart=restart,
        as_json=json,
    )


@conformance_app.command("controller")
def conformance_controller(
    address: Annotated[
        str, typer.Argument(help="Where it listens.", metavar="HOST:PORT|unix:PATH")
    ],
    replicas_host: Annotated[
        str,
        typer.Option(
            "--replicas-host",
            help="Where the scripted replicas listen; the controller must reach it.",
            metavar="HOST",
        ),
    ] = "127.0.0.1",
    only: Annotated[str, typer.Option("--only", help="Only these checks.", metavar="N,...")] = "",
    token: Token = None,
    json: Json = False,
) -> None:
    """Check a controller of any make, with replicas that do as the suite says; it has none else."""
    from antiphon.cli import conformance

    conformance.controller(
        address, replicas_host=replicas_host, only=only, token=token, as_json=json
    )

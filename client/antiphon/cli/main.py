"""Entry point: the commands' names and options, and nothing that is slow to import.

A failure is one line on stderr (what, where, what to do) and exit code 1, wrong usage is 2. The
traceback of a bug goes to the log file, never to the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from antiphon.cli.conformance_app import conformance_app
from antiphon.cli.exit_codes import FAILURE, INTERRUPTED, USAGE_ERROR
from antiphon.cli.options import (
    Address,
    Config,
    Data,
    Json,
    Listen,
    Replica,
    Settings,
    StandBy,
    Token,
    WatchStdin,
    time_of,
)
from antiphon.cli.reasons import explain_app, history_app

app = typer.Typer(
    name="antiphon",
    help="Live SQL views, kept up to date by replicas that may fail.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="What is configured, and where it comes from.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(explain_app, name="explain")
app.add_typer(history_app, name="history")
app.add_typer(conformance_app, name="conformance")
replica_app = typer.Typer(
    help="Start one replica here; or add, remove, promote one of a controller.",
    invoke_without_command=True,
)
app.add_typer(replica_app, name="replica")


@app.command()
def up(
    data: Data = None,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=0, help="How many to run.")
    ] = None,
    listen: Listen = None,
    standby: StandBy = False,
    watch_stdin: WatchStdin = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Start everything on this machine: a controller and its replicas."""
    from antiphon.cli import serve

    serve.up(
        data=data,
        replicas=replicas,
        listen=listen,
        standby=standby or None,
        token=token,
        watch_stdin=watch_stdin,
        config=config,
    )


@app.command()
def controller(
    data: Data = None,
    listen: Listen = None,
    standby: StandBy = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Start a controller alone; replicas join with `antiphon replica add`."""
    from antiphon.cli import serve

    serve.controller(data=data, listen=listen, standby=standby or None, token=token, config=config)


@app.command()
def promote(
    force: Annotated[
        bool, typer.Option("--force", help="Do not wait until its replicas are warm.")
    ] = False,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make the standby at the address the controller; the live one is fenced, and ends."""
    from antiphon.cli import replicas

    settings = Settings(address=address, token=token, config=config, json=json)
    replicas.promote_controller(settings, force=force)


@replica_app.callback()
def replica(
    context: typer.Context,
    listen: Listen = None,
    data: Data = None,
    controller: Annotated[
        str | None, typer.Option(help="Where the controller is.", metavar="ADDR")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Its name, the same after each restart.", metavar="NAME")
    ] = None,
    watch_stdin: WatchStdin = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Start one replica here; or add, remove, promote one of a controller."""
    if context.invoked_subcommand is not None:
        return
    from antiphon.cli import serve_replica

    serve_replica.serve(
        listen=listen,
        data=data,
        controller=controller,
        name=name,
        token=token,
        watch_stdin=watch_stdin or None,
        config=config,
    )


ReplicaName = Annotated[str, typer.Argument(help="The replica's name.", metavar="NAME")]


@replica_app.command("add")
def replica_add(
    name: ReplicaName,
    at: Annotated[
        str,
        typer.Option("--at", help="Where it listens; else it is started here.", metavar="ADDR"),
    ] = "",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="It warms up, and writes once promoted.")
    ] = False,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Add a replica to the instance, for good."""
    from antiphon.cli import replicas

    settings = Settings(address=address, token=token, config=config, json=json)
    replicas.add(settings, name, at=at, read_only=read_only)


@replica_app.command("remove")
def replica_remove(
    name: ReplicaName,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Take a replica out of the instance; one that was started by it is stopped."""
    from antiphon.cli import replicas

    replicas.remove(Settings(address=address, token=token, config=config, json=json), name)


@replica_app.command("promote")
def replica_promote(
    name: ReplicaName,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Let a replica that was added read-only write from now on."""
    from antiphon.cli import replicas

    replicas.promote(Settings(address=address, token=token, config=config, json=json), name)


@app.command()
def sql(
    command: Annotated[
        list[str] | None,
        typer.Option("--command", "-c", help="Run this and exit; may be repeated.", metavar="SQL"),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Run this file and exit.", metavar="FILE")
    ] = None,
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", help="Read at this time.", metavar="TIME", parser=time_of),
    ] = None,
    replica: Replica = "",
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run SQL: a shell on a terminal, else what stdin, -c or -f says."""
    if command and file is not None:
        raise typer.BadParameter("-c and -f exclude each other")
    from antiphon.cli import query

    settings = Settings(address=address, token=token, config=config, json=json)
    query.sql(settings, commands=command or (), file=file, as_of=as_of, replica=replica)


@app.command()
def load(
    table: Annotated[str, typer.Argument(help="A table or feed.", metavar="TABLE")],
    file: Annotated[str, typer.Argument(help="A CSV or Parquet file.", metavar="FILE")],
    format: Annotated[
        str | None, typer.Option("--format", help="csv, tsv or parquet; else by name.")
    ] = None,
    null: Annotated[
        list[str] | None, typer.Option("--null", help="What means null in a CSV file.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete these rows instead.")] = False,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Append a file's rows to a table or feed."""
    from antiphon.cli import load as loading

    settings = Settings(address=address, token=token, config=config, json=json)
    loading.load(settings, table, file, file_format=format, nulls=null or [""], delete=delete)


@app.command()
def subscribe(
    target: Annotated[str, typer.Argument(help="A name or a SELECT.", metavar="TARGET")],
    from_frontier: Annotated[
        int | None,
        typer.Option("--from", help="Go on after this time.", metavar="TIME", parser=time_of),
    ] = None,
    snapshot: Annotated[bool, typer.Option(help="Begin with the content so far.")] = True,
    progress: Annotated[bool, typer.Option("--progress", help="Print times too.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="End after so many changes.")
    ] = None,
    hold: Annotated[
        str,
        typer.Option(
            "--hold", help="Keep my place under this name, and go on there.", metavar="NAME"
        ),
    ] = "",
    hold_deadline: Annotated[
        int, typer.Option("--hold-deadline", min=0, help="Seconds it is kept without me; 0: 3600.")
    ] = 0,
    replica: Replica = "",
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print every change of a collection or query, until interrupted."""
    from antiphon.cli import follow

    settings = Settings(address=address, token=token, config=config, json=json)
    follow.subscribe(
        settings, target, from_frontier=from_frontier, with_snapshot=snapshot,
        with_progress=progress, changes_max=limit, replica=replica, hold=hold,
        hold_deadline_s=hold_deadline,
    )  # fmt: skip


@app.command("release-hold")
def release_hold(
    name: Annotated[str, typer.Argument(help="Of `subscribe --hold`.", metavar="NAME")],
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Let go of the place that a subscriber kept."""
    from antiphon.cli import follow

    settings = Settings(address=address, token=token, config=config, json=json)
    follow.release(settings, name)


@app.command()
def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every second.")] = False,
    arrangements: Annotated[
        bool, typer.Option("--arrangements", help="And what views hold together, with its memory.")
    ] = False,
    address: Address = None,
    token: Token = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the instance, its replicas and how far each is."""
    from antiphon.cli import status as showing

    settings = Settings(address=address, token=token, config=config, json=json)
    showing.status(settings, watch=watch, with_arrangements=arrangements)


@app.command()
def demo(
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="Only so many flights of the year.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=0, help="Hours of the year per second; default: flat out."),
    ] = None,
    kill: Annotated[bool, typer.Option(help="Kill a replica in the middle.")] = True,
    data: Data = None,
    json: Json = False,
) -> None:
    """Replay a year of New York flights into live views; check every one at the end."""
    from antiphon.demo import run

    raise typer.Exit(run.main(flights_max=rows, speed=speed, kill=kill, data=data, as_json=json))


@config_app.command("show")
def config_show(config: Config = None, json: Json = False) -> None:
    """Print the settings of every part: flags > environment > file > defaults."""
    from antiphon.cli import settings

    settings.show(config, as_json=json)


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    found = installed("antiphon")
    typer.echo(f'{{"version": "{found}"}}' if json else f"antiphon {found}")


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns its exit code."""
    try:
        code = app(args=list(arguments), standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); what Python still holds must not be flushed into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if hasattr(error, "format_message"):  # the parser's own errors, wherever its classes live
            return _usage(error)
        from antiphon.cli import failure

        return failure.report(error)
    return code if isinstance(code, int) else 0


def _usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return USAGE_ERROR
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "antiphon"
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    typer.echo(f"{command}: {message}; see {command} --help", err=True)
    return USAGE_ERROR


def _open_what_is_closed() -> None:
    """Gives a process that was started without one of the standard streams (`<&-`, `>&-`) the null
    device there, in the order of their numbers: else the next file or socket would get one of
    them, and what is printed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 -- as long as we live


def main() -> None:
    """The `antiphon` script."""
    _open_what_is_closed()
    sys.exit(run(sys.argv[1:]))

"""`python -m antiphon.proof.conformance replica|controller ADDRESS`: a suite, line by line.

Exits with 1 on a failure, with 2 if it cannot run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from antiphon.proof.conformance import (
    COLLECTIONS_LISTEN,
    Outcome,
    Report,
    controllers,
    restart_by,
    row_of,
    run,
)
from antiphon.protocol.errors import AntiphonError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m antiphon.proof.conformance",
        description="Check a replica or a controller against the compute protocol.",
    )
    parser.add_argument("party", choices=["replica", "controller"])
    parser.add_argument("address", help="HOST:PORT or unix:PATH")
    parser.add_argument("--collections-listen", default=COLLECTIONS_LISTEN, metavar="ADDR")
    parser.add_argument("--replicas-host", default=controllers.REPLICAS_HOST, metavar="HOST")
    parser.add_argument("--only", default="", metavar="N,...", help="numbers of checks")
    parser.add_argument("--restart", metavar="COMMAND", help="kills and starts the replica")
    options = parser.parse_args(arguments)
    try:
        report = asyncio.run(_run(options))
    except AntiphonError as error:
        print(error, file=sys.stderr)
        return 2
    print(report.summary)
    return 0 if report.conforms else 1


async def _run(options: argparse.Namespace) -> Report:
    only = [number for number in options.only.split(",") if number]
    if options.party == "controller":
        return await controllers.run(
            options.address, replicas_host=options.replicas_host, only=only, progress=_show
        )
    return await run(
        options.address,
        collections_listen=options.collections_listen,
        only=only,
        restart=restart_by(options.restart) if options.restart else None,
        progress=_show,
    )


def _show(outcome: Outcome) -> None:
    number, title, verdict, seconds = row_of(outcome)
    print(f"{number:>6}  {verdict:<5} {seconds:>5} s  {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""The run: connect as a client, play replicas, check after check, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from antiphon.client import connect_async
from antiphon.proof.conformance.controllers.checks import CHECKS
from antiphon.proof.conformance.controllers.io.bench import CheckBench, Controller
from antiphon.proof.conformance.io.run import judge, outcome_of
from antiphon.proof.conformance.registry import Check, select
from antiphon.proof.conformance.report import Finished, Report, settle
from antiphon.proof.conformance.verdict import Outcome
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.security import ClientSecurity

REPLICAS_HOST: Final = "127.0.0.1"
PATIENCE_S: Final = 12.0  # for what must come; silence is noticed after five


async def run(
    address: str,
    *,
    replicas_host: str = REPLICAS_HOST,
    only: Sequence[str] = (),
    patience_s: float = PATIENCE_S,
    token: str | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> Report:
    """Runs the checks against the controller at `address`. What they make is taken away again.

    Args:
        replicas_host: where the scripted replicas listen; the controller must reach them there.
        only: numbers of the checks to run; all, if empty.
        patience_s: how long what must come may take.
        token: what both sides ask of their callers, if they ask.
        progress: told of each check as it ends; the report may blame it later on.

    Raises:
        InvalidArgument: an unknown number; or a controller that has replicas: their answers would
            be taken for those of the script.
        Unavailable: nobody answers at `address`.
    """
    checks = select(CHECKS, only)
    async with await connect_async(address, token=token, patience_s=0.0) as client:
        status = await client.status()
        if status.replicas:
            raise InvalidArgument(
                f"the controller has replicas ({', '.join(r.name for r in status.replicas)}): give"
                " the suite one that has none",
                address=address,
            )
        channel = open_channel(address, ClientSecurity(token=token))
        try:
            controller = Controller(
                client=client,
                channel=channel,
                host=replicas_host,
                token=token,
                patience_s=patience_s,
            )
            finished: list[Finished] = []
            for check in checks:
                one = await _finish(check, controller)
                finished.append(one)
                if progress is not None:
                    progress(one.outcome)
        finally:
            await channel.close()
    return settle(address, finished, party="controller")


async def _finish(check: Check, controller: Controller) -> Finished:
    started = time.monotonic()
    bench = CheckBench(controller)
    verdict, detail = await judge(check, bench)
    violations = await bench.close()
    seconds = time.monotonic() - started
    return Finished(outcome=outcome_of(check, verdict, detail, seconds), violations=violations)

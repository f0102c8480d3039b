"""Sync 16, across processes: what the engine does owes nothing to the order of a hash."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from random import Random

from antiphon.controller.engine.event import Event, Role
from tests.controller.engine.facts import (
    R1,
    R2,
    R3,
    READY,
    Run,
    acked,
    assigned,
    at,
    barrier,
    complete,
    connected,
    failure,
    new,
    progress,
)
from tests.source_tree import ROOT

CODE = "from tests.controller.engine.test_engine_seeds import fingerprint; print(fingerprint())"


def fingerprint() -> str:
    """Of everything that a long run of arbitrary events caused, in order."""
    random = Random(16)
    run = Run(assigned(R1, R2, R3))
    seen = sha256()
    for request in range(1, 400):
        replica = random.choice((R1, R2, R3))
        facts = random.choice((new(replica), at(random.randint(0, 12), replica, holds=(1, 2))))
        events: list[Event] = [
            acked(facts, request, over=random.randint(1, 4)),
            connected(replica, is_so=random.random() < 0.7),
            random.choice((READY, barrier(request), assigned(R3, R2, R1))),
        ]
        if random.random() < 0.02:
            role = random.choice((Role.STANDBY, Role.PRIMARY))
            events.append(assigned(R2, R1, R3, role=role))
        view = run.view(replica)
        if view.active is not None:
            ref, target = view.active.ref, view.active.target
            events += random.choice(
                (
                    [progress(ref, target, replica), complete(ref, target, replica)],
                    [failure(ref, "local_state_corrupt", replica)],
                    [],
                )
            )
        for event in events:
            seen.update(repr(run.feed(event)).encode())
    return seen.hexdigest()


def test_equal_events_give_equal_bytes_whatever_the_hash_seed() -> None:
    """Sync 16."""
    found = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {fingerprint()}

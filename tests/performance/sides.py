"""Runs one side of a benchmark in a process of its own: ours, a peer's, or a recomputation's.

A side prints one JSON object as its last line. A peer lives in an environment of its own, made on
demand from its pinned requirements; one that cannot be had is missing, not an error.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.performance.workload import Workload

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
PEERS: Final = ("pathway", "bytewax", "deephaven")
SIDE_TIMEOUT_S: Final = 300
STDERR_LINES: Final = 3


class SideMissing(Exception):
    """This side cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of every tick that counts, by its size."""

    version: str
    by_size: dict[int, list[float]]

    def p50(self, size: int) -> float:
        return statistics.median(self.by_size[size])

    def worst(self, size: int) -> float:
        return max(self.by_size[size])


@dataclass(frozen=True, slots=True)
class Side:
    """A process to be. `path`: its PYTHONPATH."""

    name: str
    command: tuple[str, ...]
    path: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": self.path}

    def answer(self, said: str, code: int | None, errors: str) -> dict[str, Any]:
        """The JSON object that it printed last.

        Raises:
            SideMissing: it failed; with the end of what it said.
        """
        lines = said.strip().splitlines()
        if code != 0 or not lines:
            said = " / ".join(errors.strip().splitlines()[-STDERR_LINES:])
            raise SideMissing(f"{self.name} ended with {code}: {said}")
        return dict(json.loads(lines[-1]))


def our_side(mode: str, workload: Workload, *options: str) -> Side:
    """Our engine, or DuckDB, in a fresh process of this environment."""
    command = (sys.executable, "-m", f"tests.performance.{mode}", workload.to_json(), *options)
    return Side(mode, command)


def peer_side(name: str, workload: Workload) -> Side:
    """
    Raises:
        SideMissing: it cannot be installed.
    """
    script = HERE / "peers" / name / "run.py"
    return Side(name, (str(environment(name)), str(script), workload.to_json()), str(HERE))


def run(side: Side) -> dict[str, Any]:
    """
    Raises:
        SideMissing: it failed, or took too long.
    """
    try:
        done = subprocess.run(
            side.command, capture_output=True, text=True, timeout=SIDE_TIMEOUT_S, check=False,
            cwd=ROOT, env=side.environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SideMissing(f"{side.name} took more than {SIDE_TIMEOUT_S} s") from None
    return side.answer(done.stdout, done.returncode, done.stderr)


def ours(mode: str, workload: Workload, *options: str) -> dict[str, Any]:
    return run(our_side(mode, workload, *options))


def times_of(answer: dict[str, Any]) -> Times:
    by_size = {int(size): list(times) for size, times in answer["times_ms"].items()}
    return Times(answer.get("version", ""), by_size)


@cache
def peer(name: str, workload: Workload) -> Times:
    """A peer's times for a workload; run once, however many benchmarks ask."""
    return times_of(run(peer_side(name, workload)))


@cache
def environment(name: str) -> Path:
    """The peer's interpreter, installed if it is not there yet."""
    if name == "deephaven" and shutil.which("java") is None:
        raise SideMissing("deephaven needs Java")
    folder = HERE / "peers" / name
    python, stamp = folder / ".venv/bin/python", folder / ".venv/.installed"
    requirements = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text("utf-8") == requirements.read_text("utf-8"):
        return python
    print(f"bench: installing {name} for itself, once", file=sys.stderr)
    install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    for command in ([sys.executable, "-m", "venv", str(folder / ".venv")], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["?"])[-1]
            raise SideMissing(f"{name} cannot be installed: {last}")
    stamp.write_text(requirements.read_text("utf-8"), "utf-8")
    return python

"""The real controller and replicas under faults, seed by seed."""

import os
import subprocess
import sys

import pytest

from antiphon.proof.simulation.run import simulate

SEEDS = range(1, 17)  # `make simulate` goes on to fifty

pytestmark = pytest.mark.slow  # once is enough: the traces are compared across hash seeds below


@pytest.mark.parametrize("seed", SEEDS)
def test_no_client_ever_sees_a_wrong_doubled_or_missing_answer(seed: int) -> None:
    report = simulate(seed)
    assert report.failure is None, f"seed {seed}: {report.failure}"
    # A run in which nothing happened would prove nothing.
    assert report.writes >= 10
    assert report.answers >= 10
    assert report.intervals >= 2


def test_one_seed_gives_one_trace_whatever_the_hash_seed() -> None:
    script = (
        "from antiphon.proof.simulation.run import simulate\n"
        "print(simulate(3).digest, simulate(3).digest)\n"
    )
    digests = set[str]()
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        digests.update(done.stdout.split())
    assert len(digests) == 1

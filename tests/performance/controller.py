"""The controller's benchmarks: what the product costs above bare gRPC."""

from __future__ import annotations

from tests.performance.report import Measured, missing


def measure(key: str) -> Measured:
    """The benchmark `controller.<key>`."""
    return missing("")

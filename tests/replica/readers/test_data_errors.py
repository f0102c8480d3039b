"""Data errors: one failure speaks for all, the same on every replica."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.readers.data_errors import data_failure


def errors(*found: tuple[str, int]) -> Zset:
    codes = [code for code, _ in found]
    return Zset(
        (pa.array(codes, pa.string()), pa.array(codes, pa.string()), pa.array(["x"] * len(codes))),
        np.array([diff for _, diff in found], np.int64),
    )


def test_no_errors_are_no_failure() -> None:
    assert data_failure(None) is None
    assert data_failure(errors()) is None
    assert data_failure(errors(("a", 1), ("a", -1))) is None


def test_a_failure_names_one_error_and_counts_all() -> None:
    failure = data_failure(errors(("a", 2), ("b", 1)))
    assert failure is not None
    assert failure.code == "data_error"
    assert failure.definite
    assert failure.details["errors"] == "3"
    assert failure.details["cause"] in {"a", "b"}


def test_every_replica_names_the_same_error() -> None:
    assert data_failure(errors(("a", 1), ("b", 1))) == data_failure(errors(("b", 1), ("a", 1)))

"""to_char of numbers: what is refused. Its answers are in `known_answers.sql`."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (
            "to_char(1, 'L9')",
            "L .there is no locale: write the sign itself. in a format of to_char",
        ),
        ("to_char(1, '9EEEE')", "EEEE in a format of to_char is not supported"),
        ("to_char(1, 'RN9')", "RN beside other patterns in to_char is not supported"),
        ("to_char(1::real, '9V9')", "V in a format of real is not supported"),
        ("to_char(1, '9.9.9')", "there are several points in the format"),
        (
            "to_number('1', 'L9')",
            "L .there is no locale: write the sign itself. in a format of to_n",
        ),
        ("to_number('1', '9V9')", '"V" in a format of to_number is not supported'),
        ("to_number('1', '9\"-\"')", '"-" in a format of to_number is not supported'),
        ("to_number('1', 'x')", "0 digits in a format of to_number is not supported"),
        ("to_char(1, 'SMI9')", "S excludes PL, MI, SG and PR in a format"),
    ],
)
def test_what_is_not_served_is_named(call: str, why: str) -> None:
    with pytest.raises(ComputeError, match=why):
        World().select(f"SELECT {call}")


def test_floats_are_rounded_from_their_exact_values() -> None:
    """As C does, half to even: what is a half in decimal digits mostly is none of a float."""
    pick = random.Random(1)
    values = [0.125, 0.375, 2.675, 1.005, 0.5, 1.5, 999999.995, 123456789.125, 5e-324, 0.0]
    values += [pick.uniform(-1000, 1000) for _ in range(200)]
    values += [pick.randrange(-(10**6), 10**6) / 1000 for _ in range(200)]
    values += [Decimal(pick.randrange(10**11)) / 10**4 + Decimal("0.00005") for _ in range(100)]
    world = World()
    world.run("CREATE TABLE t (x double precision)")
    world.run("INSERT INTO t VALUES " + ", ".join(f"({float(value)!r})" for value in values))
    found = world.select("SELECT x, to_char(x, 'FM99999999990.0000') FROM t")
    assert len(found) == len(values)
    assert [text for _, text in found] == [f"{x:.4f}" for x, _ in found]


def test_columns_of_all_shapes_are_laid_out_row_by_row() -> None:
    world = World()
    world.run("CREATE TABLE t (x numeric(12,3))")
    pick = random.Random(2)
    values = [Decimal(pick.randrange(-(10**n), 10**n)) / 1000 for n in range(1, 11) for _ in "abcd"]
    world.run("INSERT INTO t VALUES (NULL), " + ", ".join(f"({value})" for value in values))
    for form in ("9,999,999.999", "FM9G999G990D99", "S0000.0", "99.99MI", "9999999.00PR", "999th"):
        whole = world.select(f"SELECT x, to_char(x, '{form}') FROM t")
        assert (None, None) in whole
        for value, text in whole:
            alone = f"SELECT to_char(({value})::numeric(12,3), '{form}')"
            assert value is None or world.select(alone) == [(text,)], (value, form)


def test_what_to_char_writes_to_number_reads() -> None:
    world = World()
    world.run("CREATE TABLE t (x numeric(9,2))")
    pick = random.Random(4)
    values = [Decimal(pick.randrange(-(10**n), 10**n)) / 100 for n in range(1, 9) for _ in "abcde"]
    world.run("INSERT INTO t VALUES (NULL), " + ", ".join(f"({value})" for value in values))
    for form in ("9,999,999.99", "FM9G999G990D00", "S0000000.00", "9999999.99MI", "9999999.00PR"):
        call = f"to_number(to_char(x, '{form}'), '{form}')"
        found = world.select(f"SELECT x, {call} FROM t")
        assert len(found) == len(values) + 1
        assert all(given == read for given, read in found), form

"""Comparisons with ANY and ALL, with null where a null could decide, as PostgreSQL has it."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest

from tests.controller.sql.world import World

OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
GROUPS: list[list[int | None]] = [[], [None], [2], [2, None], [1, 3], [1, 3, None], [2, 2]]


def truth(
    symbol: str, value: int | None, group: list[int | None], *, with_all: bool
) -> bool | None:
    """Row by row, as SQL defines it."""
    found: list[bool | None] = [
        None if value is None or each is None else OPERATORS[symbol](value, each) for each in group
    ]
    decisive = not with_all
    if decisive in found:
        return decisive
    return None if None in found else with_all


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("quantifier", ["ANY", "ALL", "SOME"])
def test_unknown_where_a_null_could_decide(symbol: str, quantifier: str) -> None:
    world = World()
    world.run("CREATE TABLE x (v int); CREATE TABLE g (k int, v int)")
    world.run("INSERT INTO x VALUES (1), (2), (3), (NULL)")
    for key, group in enumerate(GROUPS):
        for member in group:
            world.run(f"INSERT INTO g VALUES ({key}, {'NULL' if member is None else member})")
    for key, group in enumerate(GROUPS):
        query = f"SELECT v, v {symbol} {quantifier} (SELECT g.v FROM g WHERE k = {key}) FROM x"
        for value, found in world.select(query):
            wanted = truth(symbol, value, group, with_all=quantifier == "ALL")
            assert found is wanted, f"{value} {symbol} {quantifier} {group}"

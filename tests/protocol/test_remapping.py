"""An expression over other columns is the same expression."""

from __future__ import annotations

from antiphon.protocol.expression import Branch, Case, Cast, Expression
from antiphon.protocol.remapping import remapped
from antiphon.protocol.schema import BOOLEAN, TEXT
from tests.replica.filters import K, V, compared, modulo, number, text


def test_every_column_moves_and_nothing_else_does() -> None:
    def written(k: Expression, v: Expression) -> Expression:
        branch = Branch(condition=compared(k, number(0)), value=compared(v, text("0")))
        return Case(
            branches=(branch,),
            otherwise=compared(Cast(input=k, type=TEXT), v, "less"),
            type=BOOLEAN,
        )

    swapped = remapped(written(K, V), lambda index: 1 - index)
    assert swapped == written(remapped(K, lambda _: 1), remapped(V, lambda _: 0)), (
        "in conditions, values and casts"
    )
    assert remapped(swapped, lambda index: 1 - index) == written(K, V)


def test_all_arguments_move() -> None:
    moved = remapped(modulo(3), lambda index: index + 2)
    assert repr(moved) == repr(modulo(3)).replace("index=0", "index=2")

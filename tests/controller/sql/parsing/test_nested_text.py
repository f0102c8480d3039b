"""Lists and structs are read from PostgreSQL's notation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.sql.parsing.literal_text import read_value
from antiphon.protocol.expression import Cast, ColumnReference, Literal, Value
from antiphon.protocol.schema import INT32, TEXT, Column, Type, list_of, struct_of
from antiphon.replica.dataflow.expressions.evaluate import evaluate
from antiphon.replica.dataflow.expressions.frame import Frame

INTS, TEXTS = list_of(INT32), list_of(TEXT)
PAIR = struct_of(Column(name="a", type=INT32), Column(name="b", type=TEXT))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("{}", INTS, ()),
        (" { } ", INTS, ()),
        ("{1, 2 ,NULL,null}", INTS, (1, 2, None, None)),
        ('{a, b c ,"d,}", "\\"x\\\\" ,"NULL",\\ z\\ ,\\NULL}', TEXTS,
         ("a", "b c", "d,}", '"x\\', "NULL", " z ", "NULL")),
        ("{{1},NULL,{}}", list_of(INTS), ((1,), None, ())),
        ('{"(1,x)",NULL}', list_of(PAIR), ((1, "x"), None)),
        ('(1,"a b")', PAIR, (1, "a b")),
        ("(,)", PAIR, (None, None)),
        ('(1,"")', PAIR, (1, "")),
        ('(1,"a""b\\"c,)")', PAIR, (1, 'a"b"c,)')),
        ('(1, a "b"c )', PAIR, (1, " a bc ")),
    ],
)  # fmt: skip
def test_well_formed_text_is_read(text: str, kind: Type, value: Value) -> None:
    assert read_value(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", INTS), ("1", INTS), ("{", INTS), ("{1", INTS), ("{1,", INTS), ("{1,}", INTS),
        ("{,1}", INTS), ("{1}2", INTS), ("{{1}}", INTS), ("{x}", INTS), ('{a"b}', TEXTS),
        ('{"a"b}', TEXTS), ('{"a', TEXTS), ("{a\\", TEXTS), ("{a{}", TEXTS),
        ("{" * 40 + "}" * 40, list_of(list_of(TEXT))),
        ("1,2", PAIR), ("(1)", PAIR), ("(1,2,3)", PAIR), ("(1,2", PAIR), ('(1,"', PAIR),
        ("(x,y)", PAIR), ("(1,2)3", PAIR),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_refused(text: str, kind: Type) -> None:
    with pytest.raises(ValueError, match=r"is not a value of|malformed"):
        read_value(text, kind)


TEXT_OF_LISTS = st.text(st.sampled_from('ab ,,{}"\\ nulNULé'), max_size=9)
SHAPES = st.sampled_from(["{%s}", "%s", " {%s} "])


@given(st.lists(st.none() | st.builds(lambda shape, text: shape % text, SHAPES, TEXT_OF_LISTS)))
def test_the_replica_reads_what_the_planner_reads_and_refuses_what_it_refuses(
    texts: list[str | None],
) -> None:
    frame = Frame((pa.array(["", *texts, ""], pa.string())[1:-1],), len(texts))
    place = ColumnReference(index=0, type=TEXT)
    found = evaluate(frame, Cast(input=place, type=TEXTS)).array
    found.validate(full=True)
    failed = {row for error in frame.errors for row in np.flatnonzero(error.rows).tolist()}
    for row, (text, ours) in enumerate(zip(texts, found.to_pylist(), strict=True)):
        try:
            value = None if text is None else read_value(text, TEXTS)
        except ValueError:
            assert row in failed, f"{text!r} is taken for {ours}"
            continue
        assert row not in failed, f"{text!r} is {value}"
        assert ours == (None if value is None else list(value))  # type: ignore[arg-type]


WORDS = st.none() | st.text(st.sampled_from("ab ,{}()\"\\'\n\tnulNUL"), max_size=5)


def written(value: Value, kind: Type) -> str:
    """As the replica writes it."""
    cast = Cast(input=Literal(value=value, type=kind), type=TEXT)
    text = evaluate(Frame((), 1), cast).array[0].as_py()
    assert isinstance(text, str)
    return text


@given(st.lists(WORDS).map(tuple))
def test_what_is_written_of_a_list_is_read_again(value: tuple[Value, ...]) -> None:
    assert read_value(written(value, TEXTS), TEXTS) == value


@given(st.tuples(st.none() | st.integers(-9, 9), WORDS))
def test_what_is_written_of_a_struct_is_read_again(value: tuple[Value, ...]) -> None:
    assert read_value(written(value, PAIR), PAIR) == value
    assert read_value(written((value,), list_of(PAIR)), list_of(PAIR)) == (value,)

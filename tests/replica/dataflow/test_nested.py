"""Functions and casts of lists and structs, by examples whose answers are PostgreSQL's."""

import math

import pyarrow as pa
import pytest

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import NESTED, Call, Cast, ColumnReference
from antiphon.protocol.expression import Literal as L
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    TEXT,
    Column,
    list_of,
    struct_of,
)
from antiphon.replica.dataflow.expressions.evaluate import check
from tests.replica.dataflow.examples import MAX64, MIN64, RANGE, WIDE, D, Fails, check_case, run

INTS, TEXTS, FLOATS = list_of(INT32), list_of(TEXT), list_of(FLOAT64)
DEEP = list_of(INTS)
PAIR = struct_of(Column(name="a", type=INT32), Column(name="b", type=TEXT))
FLAGS = struct_of(Column(name="f", type=BOOLEAN), Column(name="g", type=INTS))
NULLS = (None, None)

CASES = [
    ("element", (INTS, INT64), ((7, None, 9), 1), INT32, 7),
    ("element", (INTS, INT64), ((7, None, 9), 2), INT32, None),
    ("element", (INTS, INT64), ((7, None, 9), 4), INT32, None),
    ("element", (INTS, INT64), ((7, None, 9), 0), INT32, None),
    ("element", (INTS, INT64), ((7, None, 9), -1), INT32, None),
    ("element", (INTS, INT64), ((7,), 2**62), INT32, None),
    ("element", (INTS, INT64), ((), 1), INT32, None),
    ("element", (DEEP, INT64), (((1,), ()), 2), INTS, []),
    ("slice", (INTS, INT64, INT64), ((1, 2, 3), 2, 3), INTS, [2, 3]),
    ("slice", (INTS, INT64, INT64), ((1, 2, 3), -5, 1), INTS, [1]),
    ("slice", (INTS, INT64, INT64), ((1, 2, 3), 3, 2**63 - 1), INTS, [3]),
    ("slice", (INTS, INT64, INT64), ((1, 2, 3), 3, 2), INTS, []),
    ("slice", (INTS, INT64, INT64), ((1, 2, 3), 9, 12), INTS, []),
    ("slice", (INTS, INT64, INT64), ((), 1, 1), INTS, []),
    ("list_trim", (INTS, INT64), ((1, None, 3), 2), INTS, [1]),
    ("list_trim", (INTS, INT64), ((1, 2), 0), INTS, [1, 2]),
    ("list_trim", (INTS, INT64), ((1, 2), 3), INTS, Fails("array_subscript_error")),
    ("list_length", (INTS,), ((1, None),), INT32, 2),
    ("list_length", (INTS,), ((),), INT32, 0),
    ("list_position", (INTS, INT32), ((5, None, 5), 5), INT32, 1),
    ("list_position", (INTS, INT32), ((5, None, 5), 6), INT32, None),
    ("list_positions", (INTS, INT32), ((5, None, 5), 5), INTS, [1, 3]),
    ("list_positions", (INTS, INT32), ((5, None, 5), 6), INTS, []),
    ("list_contains", (INTS, INT32), ((5, None), 5), BOOLEAN, True),
    ("list_contains", (INTS, INT32), ((5, None), 6), BOOLEAN, False),
    ("list_contains", (FLOATS, FLOAT64), ((math.nan, 0.0), math.nan), BOOLEAN, True),
    ("list_contains", (FLOATS, FLOAT64), ((math.nan, 0.0), -0.0), BOOLEAN, True),
    ("list_contains_all", (INTS, INTS), ((1, 2, None), (2, 1, 2)), BOOLEAN, True),
    ("list_contains_all", (INTS, INTS), ((1, None), (None,)), BOOLEAN, False),
    ("list_contains_all", (INTS, INTS), ((), ()), BOOLEAN, True),
    ("list_overlaps", (INTS, INTS), ((1, 2), (3, 2)), BOOLEAN, True),
    ("list_overlaps", (INTS, INTS), ((1, None), (3, None)), BOOLEAN, False),
    ("list_overlaps", (DEEP, DEEP), (((1, None),), ((1, None),)), BOOLEAN, True),
    ("list_remove", (INTS, INT32), ((1, 2, None, 1), 1), INTS, [2, None]),
    ("list_replace", (INTS, INT32, INT32), ((1, 2, None, 1), 1, 9), INTS, [9, 2, None, 9]),
    ("list_sort", (INTS, BOOLEAN, BOOLEAN), ((2, None, 3, 1), False, False), INTS,
     [1, 2, 3, None]),
    ("list_sort", (INTS, BOOLEAN, BOOLEAN), ((2, None, 3, 1), True, True), INTS, [None, 3, 2, 1]),
    ("list_sort", (INTS, BOOLEAN, BOOLEAN), ((2, None, 3, 1), True, False), INTS,
     [3, 2, 1, None]),
    ("list_sort", (TEXTS, BOOLEAN, BOOLEAN), (("b", "B", "é", "ba"), False, False), TEXTS,
     ["B", "b", "ba", "é"]),
    ("list_reverse", (INTS,), ((1, None, 3),), INTS, [3, None, 1]),
    ("list_distinct", (INTS,), ((3, 1, None, 3, 2, 1),), INTS, [3, 1, 2]),
    ("list_min", (INTS,), ((3, None, 1),), INT32, 1),
    ("list_max", (INTS,), ((3, None, 1),), INT32, 3),
    ("list_max", (FLOATS,), ((math.inf, math.nan),), FLOAT64, math.nan),
    ("list_min", (INTS,), ((None,),), INT32, None),
    ("list_max", (DEEP,), (((1,), (2,), ()),), INTS, [2]),
    ("list_sum", (INTS,), ((2**31 - 1, 2**31 - 1, None),), INT64, 2**32 - 2),
    ("list_sum", (list_of(INT64),), ((MAX64, MAX64, -5),), WIDE, D(2 * MAX64 - 5)),
    ("list_sum", (list_of(INT64),), ((MIN64, MIN64),), WIDE, D(2 * MIN64)),
    ("list_sum", (INTS,), ((),), INT64, None),
    ("list_to_text", (INTS, TEXT), ((1, None, 2), "-"), TEXT, "1-2"),
    ("list_to_text", (INTS, TEXT, TEXT), ((1, None, 2), "-", "?"), TEXT, "1-?-2"),
    ("list_to_text", (list_of(BOOLEAN), TEXT), ((True, False), ","), TEXT, "t,f"),
    ("list_to_text", (INTS, TEXT), ((), "-"), TEXT, ""),
    ("text_to_list", (TEXT, TEXT), ("a,b,,c", ","), TEXTS, ["a", "b", "", "c"]),
    ("text_to_list", (TEXT, TEXT), ("a<>b", "<>"), TEXTS, ["a", "b"]),
    ("text_to_list", (TEXT, TEXT), ("abc", ""), TEXTS, ["abc"]),
    ("text_to_list", (TEXT, TEXT), ("", ","), TEXTS, []),
    ("text_to_list", (TEXT, TEXT, TEXT), ("a,?,c", ",", "?"), TEXTS, ["a", None, "c"]),
    ("any_equal", (INT32, INTS), (2, (1, 2)), BOOLEAN, True),
    ("any_equal", (INT32, INTS), (3, (1, 2)), BOOLEAN, False),
    ("any_equal", (INT32, INTS), (3, (1, None)), BOOLEAN, None),
    ("any_equal", (INT32, INTS), (1, (1, None)), BOOLEAN, True),
    ("any_equal", (INT32, INTS), (1, ()), BOOLEAN, False),
    ("any_not_equal", (INT32, INTS), (1, (1, 1)), BOOLEAN, False),
    ("any_less", (INT32, INTS), (1, (1, 2)), BOOLEAN, True),
    ("any_less_equal", (INT32, INTS), (3, (1, 2)), BOOLEAN, False),
    ("any_greater", (TEXT, TEXTS), ("b", ("a", "c")), BOOLEAN, True),
    ("any_greater_equal", (DATE, list_of(DATE)), (3, (4, None)), BOOLEAN, None),
]  # fmt: skip
CASTS = [
    (TEXT, '{1, NULL ,"3"}', INTS, [1, None, 3]),
    (TEXT, "{}", INTS, []),
    (TEXT, " { a , b c,\"d,}\",\\ e} ", TEXTS, ["a", "b c", "d,}", " e"]),
    (TEXT, "{1,x,y}", INTS, Fails("invalid_text_representation")),
    (TEXT, "{1,99999999999}", INTS, Fails(RANGE)),
    (TEXT, "{1,}", INTS, Fails("invalid_text_representation")),
    (TEXT, "1", INTS, Fails("invalid_text_representation")),
    (TEXT, "{{1}}", INTS, Fails("invalid_text_representation")),
    (INTS, (1, None, 3), list_of(INT64), [1, None, 3]),
    (INTS, (), list_of(INT64), []),
    (INTS, (1, 40_000), list_of(INT16), Fails(RANGE)),
    (TEXTS, ("1", " 2 ", None), INTS, [1, 2, None]),
    (TEXTS, ("1", "x", "y"), INTS, Fails("invalid_text_representation")),
    (DEEP, ((1,), None, ()), list_of(TEXTS), [["1"], None, []]),
    (TEXTS, ("a", None, "", "b c", 'q"', "\\", "null", "a,b", "{"), TEXT,
     '{a,NULL,"","b c","q\\"","\\\\","null","a,b","{"}'),
    (INTS, (), TEXT, "{}"),
    (DEEP, ((1, None), (), None), TEXT, "{{1,NULL},{},NULL}"),
    (list_of(BOOLEAN), (True, False, None), TEXT, "{t,f,NULL}"),
    (list_of(DATE), (0,), TEXT, "{1970-01-01}"),
    (list_of(PAIR), ((1, "x y"), None), TEXT, '{"(1,\\"x y\\")",NULL}'),
    (PAIR, (1, "x"), TEXT, "(1,x)"),
    (PAIR, NULLS, TEXT, "(,)"),
    (PAIR, (1, 'a"b\\,'), TEXT, '(1,"a""b\\\\,")'),
    (PAIR, (1, ""), TEXT, '(1,"")'),
    (FLAGS, (True, (1, 2)), TEXT, '(t,"{1,2}")'),
    (PAIR, (7, "8"), struct_of(Column(name="c", type=TEXT), Column(name="d", type=INT64)),
     {"c": "7", "d": 8}),
    (PAIR, (7, "x"), struct_of(Column(name="c", type=TEXT), Column(name="d", type=INT64)),
     Fails("invalid_text_representation")),
]  # fmt: skip


@pytest.mark.parametrize(("function", "types", "arguments", "kind", "expected"), CASES)
def test_functions(function, types, arguments, kind, expected):
    def make(parts):
        return Call(function=function, arguments=tuple(parts), type=kind)

    check_case(make, types, arguments, expected)


@pytest.mark.parametrize(("given", "value", "wanted", "expected"), CASTS)
def test_casts(given, value, wanted, expected):
    check_case(lambda parts: Cast(input=parts[0], type=wanted), (given,), (value,), expected)


def of_columns(function, kind, *columns):
    """The function over columns of (type, values)."""
    references = tuple(ColumnReference(index=i, type=t) for i, (t, _) in enumerate(columns))
    arrays = [literal_array(t, values) for t, values in columns]
    found, codes = run(Call(function=function, arguments=references, type=kind), arrays)
    assert codes == {}
    return found


def test_a_list_keeps_the_nulls_that_it_is_made_of():
    ones, others = (INT32, [1, None, 3]), (INT32, [None, None, 6])
    assert of_columns("list", INTS, ones, others) == [[1, None], [None, None], [3, 6]]
    empty = Call(function="list", arguments=(), type=INTS)
    assert run(empty, count=2) == ([[], []], {})


def test_a_struct_of_nulls_is_not_null():
    found = of_columns("struct", PAIR, (INT32, [1, None]), (TEXT, ["x", None]))
    assert found == [{"a": 1, "b": "x"}, {"a": None, "b": None}]


def test_a_null_list_adds_nothing_to_another_and_only_nulls_make_null():
    first = (INTS, [(1, 2), None, (), None])
    second = (INTS, [None, (None,), (5,), None])
    assert of_columns("list_concat", INTS, first, second) == [[1, 2], [None], [5], None]
    assert of_columns("list_concat", INTS, first, second, first) == [
        [1, 2, 1, 2], [None], [5], None,
    ]  # fmt: skip


def test_a_field_is_null_where_its_struct_is():
    column = literal_array(PAIR, [(1, "x"), None, (None, "y")])
    place = ColumnReference(index=0, type=PAIR)
    for index, kind, expected in ((0, INT32, [1, None, None]), (1, TEXT, ["x", None, "y"])):
        call = Call(function="field", arguments=(place, L(value=index, type=INT32)), type=kind)
        assert run(call, [column]) == (expected, {})
        assert run(call, [column.slice(1)]) == (expected[1:], {})


def test_a_field_that_is_not_there_is_refused():
    place = ColumnReference(index=0, type=PAIR)
    for argument in (L(value=2, type=INT32), L(value=-1, type=INT32), place):
        with pytest.raises(NotServed, match="field"):
            check(Call(function="field", arguments=(place, argument), type=INT32))


def test_columns_that_begin_in_the_middle_of_others_are_read_there():
    whole = literal_array(INTS, [(9, 9), (1,), None, (2, 3)]).slice(1)
    place = ColumnReference(index=0, type=INTS)
    length = Call(function="list_length", arguments=(place,), type=INT32)
    assert run(length, [whole])[0] == [1, None, 2]
    last = Call(function="element", arguments=(place, length_of(place)), type=INT32)
    assert run(last, [whole])[0] == [1, None, 3]
    assert run(Cast(input=place, type=TEXT), [whole])[0] == ["{1}", None, "{2,3}"]


def length_of(place):
    length = Call(function="list_length", arguments=(place,), type=INT32)
    return Cast(input=length, type=INT64)


def test_what_lies_under_a_null_list_is_not_seen():
    # Arrow allows a null list to have a range of elements.
    under = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array(["x", "y", "1"]), mask=pa.array([True, False])
    )
    place = ColumnReference(index=0, type=TEXTS)
    assert run(Cast(input=place, type=INTS), [under]) == ([None, [1]], {})
    assert of_row(Call(function="list_length", arguments=(place,), type=INT32), under) == [None, 1]


def of_row(call, *columns):
    return run(call, list(columns))[0]


COMPARED = [  # ascending
    (), (0.0,), (0.0, 1.0), (1.0,), (math.inf,), (math.nan,), (math.nan, 1.0), (None,), (None, 0.0),
]  # fmt: skip


def test_lists_are_ordered_by_their_elements_nulls_last_and_then_by_length():
    left = [a for a in COMPARED for _ in COMPARED]
    right = COMPARED * len(COMPARED)
    expected = [COMPARED.index(a) < COMPARED.index(b) for a, b in zip(left, right, strict=True)]
    assert of_columns("less", BOOLEAN, (FLOATS, left), (FLOATS, right)) == expected
    equals = of_columns("equal", BOOLEAN, (FLOATS, left), (FLOATS, right))
    assert equals == [a is b for a, b in zip(left, right, strict=True)]


def test_floats_that_are_equal_are_equal_in_lists_and_structs():
    quiet, other = math.nan, -math.nan
    first, second = (FLOATS, [(0.0, quiet)]), (FLOATS, [(-0.0, other)])
    assert of_columns("equal", BOOLEAN, first, second) == [True]
    assert of_columns("less", BOOLEAN, first, second) == [False]
    kind = struct_of(Column(name="x", type=FLOAT64))
    assert of_columns("equal", BOOLEAN, (kind, [(0.0,)]), (kind, [(-0.0,)])) == [True]


def test_structs_are_ordered_by_their_fields_the_first_before_the_others():
    ordered = [(1, "a"), (1, "b"), (1, None), (2, ""), (None, "a"), (None, None)]
    left = [a for a in ordered for _ in ordered]
    expected = [ordered.index(a) < ordered.index(b) for a in ordered for b in ordered]
    assert of_columns("less", BOOLEAN, (PAIR, left), (PAIR, ordered * len(ordered))) == expected


def of_row_of(function, kind, *arguments):
    """One row, of (type, value)."""
    return of_columns(function, kind, *((t, [value]) for t, value in arguments))[0]


def test_a_null_is_sought_as_a_value():
    nulls = (INTS, (None, 1, None))
    assert of_row_of("list_position", INT32, nulls, (INT32, None)) == 1
    assert of_row_of("list_positions", INTS, nulls, (INT32, None)) == [1, 3]
    assert of_row_of("list_remove", INTS, nulls, (INT32, None)) == [1]
    assert of_row_of("list_replace", INTS, nulls, (INT32, None), (INT32, 7)) == [7, 1, 7]
    assert of_row_of("list_replace", INTS, nulls, (INT32, 1), (INT32, None)) == [None] * 3
    assert of_row_of("list_contains", BOOLEAN, nulls, (INT32, None)) is None
    assert of_row_of("any_equal", BOOLEAN, (INT32, None), nulls) is None
    assert of_row_of("any_equal", BOOLEAN, (INT32, None), (INTS, ())) is False


def test_text_is_cut_into_characters_without_a_separator():
    texts = (TEXT, ["aé😀", "", None, "z"])
    nothing = (TEXT, [None] * 4)
    assert of_columns("text_to_list", TEXTS, texts, nothing) == [["a", "é", "😀"], [], None, ["z"]]
    mixed = (TEXT, ["é", ",", ",", None])
    assert of_columns("text_to_list", TEXTS, texts, mixed) == [["a", "😀"], [], None, ["z"]]


def test_how_to_sort_may_differ_from_row_to_row():
    lists = (INTS, [(1, None, 2)] * 4)
    down, first = (BOOLEAN, [True, False, True, None]), (BOOLEAN, [True, True, False, True])
    assert of_columns("list_sort", INTS, lists, down, first) == [
        [None, 2, 1], [None, 1, 2], [2, 1, None], None,
    ]  # fmt: skip


def test_every_function_of_lists_and_structs_is_tested_here():
    of_columns_alone = {"list", "struct", "field", "list_concat"}
    assert {case[0] for case in CASES} | of_columns_alone == set(NESTED)

"""The functions of lists that SQL may call: PostgreSQL's, and DuckDB's where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Typed, Unknown, cast, settle, unify
from antiphon.controller.sql.binding.types import sum_type
from antiphon.controller.sql.scalars.functions import Arguments, Builder, call
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import BOOLEAN, INT32, TEXT, Type, list_of

_NO: Final = Literal(value=False, type=BOOLEAN)
_FILLED_MAX: Final = 1_000  # elements of array_fill
_ZERO: Final = Literal(value=0, type=INT32)


def _list(arguments: Arguments, index: int = 0) -> tuple[Expression, Type]:
    """An argument that must be a list, and the type of its elements; text if nothing says it."""
    value = arguments.settled(index, list_of(TEXT))
    if value.type.element is None:
        raise arguments.wrong()
    return value, value.type.element


def _with_elements(
    arguments: Arguments, place: int, places: tuple[int, ...]
) -> tuple[Expression, list[Expression], Type]:
    """A list at `place`, and elements of it at `places`, all with one element type."""
    if len(arguments.values) != 1 + len(places):
        raise arguments.wrong()
    container = arguments.values[place]
    if isinstance(container, Unknown):
        known: list[Typed] = [arguments.values[i] for i in places]
    else:
        _, element = _list(arguments, place)
        known = [Literal(value=None, type=element), *(arguments.values[i] for i in places)]
    spots = [arguments.spots[place]] * (len(known) - len(places))
    spots += [arguments.spots[i] for i in places]
    values, element = unify(
        arguments.source, spots, known, f"the list and the elements of {arguments.name}"
    )
    whole = settle(arguments.source, arguments.spots[place], container, list_of(element))
    return cast(whole, list_of(element)), list(values[-len(places) :]), element


def _of_list(function: str, result: Type | None = None) -> Builder:
    """A function of one list; without `result` it gives a list of the same type."""

    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        value, _ = _list(arguments)
        return call(function, [value], value.type if result is None else result)

    return build


def _sought(function: str, result: Type) -> Builder:
    """(list, element)."""

    def build(arguments: Arguments) -> Expression:
        whole, elements, _ = _with_elements(arguments, 0, (1,))
        return call(function, [whole, *elements], result)

    return build


def _changed(function: str, count: int) -> Builder:
    """(list, elements), which gives a list."""

    def build(arguments: Arguments) -> Expression:
        whole, elements, element = _with_elements(arguments, 0, tuple(range(1, count + 1)))
        return call(function, [whole, *elements], list_of(element))

    return build


def _added(place: int) -> Builder:
    """A list at `place` and an element before or after it."""

    def build(arguments: Arguments) -> Expression:
        whole, (one,), element = _with_elements(arguments, place, (1 - place,))
        sides = [whole, call("list", [one], list_of(element))]
        return call("list_concat", sides[::-1] if place else sides, list_of(element))

    return build


def _together(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    values, kind = unify(
        arguments.source, arguments.spots, arguments.values, f"the arguments of {arguments.name}"
    )
    if kind.element is None:
        raise arguments.wrong()
    return call("list_concat", values, kind)


def _cardinality(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value, element = _list(arguments)
    if element.element is not None and arguments.name == "cardinality":
        raise arguments.source.unsupported(
            arguments.call, f"cardinality of {value.type}", "; len counts the lists in it"
        )
    return call("list_length", [value], INT32)


def _length(arguments: Arguments) -> Expression:
    """array_length(list, 1), null of an empty list; other dimensions there are none."""
    if len(arguments.values) == 1:
        hint = "; len and cardinality count, array_length(..., 1) is null of an empty list"
        raise arguments.source.unsupported(
            arguments.call, f"{arguments.name} without a dimension", hint
        )
    if len(arguments.values) != 2:
        raise arguments.wrong()
    value, element = _list(arguments)
    dimension = arguments.as_type(1, INT32)
    if not isinstance(dimension, Literal) or (element.element is not None and dimension.value != 1):
        raise arguments.source.unsupported(
            arguments.call, f"{arguments.name} of another dimension than 1"
        )
    if dimension.value != 1:
        return Literal(value=None, type=INT32)
    return call("nullif", [call("list_length", [value], INT32), _ZERO], INT32)


def _size(arguments: Arguments) -> Expression:
    """Of a list that has no lists in it; null of an empty one."""
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value, element = _list(arguments)
    if element.element is not None:
        raise arguments.source.unsupported(arguments.call, f"{arguments.name} of {value.type}")
    return call("nullif", [call("list_length", [value], INT32), _ZERO], INT32)


def _lower(arguments: Arguments) -> Expression:
    """array_lower(list, 1): 1, null of an empty list."""
    size = _length(arguments)
    return call("divide", [size, size], INT32)


def _dimensions(arguments: Arguments) -> Expression:
    """array_ndims: 1, null of an empty list."""
    size = _size(arguments)
    return call("divide", [size, size], INT32)


def _bounds(arguments: Arguments) -> Expression:
    """array_dims: `[1:3]`, null of an empty list."""
    size = _size(arguments)
    sides = (Literal(value="[1:", type=TEXT), cast(size, TEXT), Literal(value="]", type=TEXT))
    return call("concat", sides, TEXT)


def _filled(arguments: Arguments) -> Expression:
    """array_fill(value, ARRAY[count]): a count that is a literal, and from 1 on."""
    if len(arguments.values) not in (2, 3):
        raise arguments.wrong()
    sizes = arguments.as_type(1, list_of(INT32))
    given = sizes.value if isinstance(sizes, Literal) else None
    count = given[0] if isinstance(given, tuple) and len(given) == 1 else None
    if len(arguments.values) == 3 or not isinstance(count, int) or count > _FILLED_MAX:
        what = "array_fill with other than one size, a literal"
        raise arguments.source.unsupported(arguments.call, what, f" of at most {_FILLED_MAX}")
    if count < 0:
        raise arguments.source.invalid(arguments.spots[1], "a size of array_fill is negative")
    value = arguments.settled(0)
    return call("list", [value] * count, list_of(value.type))


def _trimmed(arguments: Arguments) -> Expression:
    """trim_array(list, n): without its last n elements."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    value, _ = _list(arguments)
    return call("list_trim", [value, arguments.as_type(1, INT32)], value.type)


def _position(arguments: Arguments) -> Expression:
    """array_position(list, element [, the first place that is looked at])."""
    if len(arguments.values) != 3:
        return _sought("list_position", INT32)(arguments)
    start = arguments.as_type(2, INT32)
    shorter = replace(arguments, values=arguments.values[:2], spots=arguments.spots[:2])
    whole, (one,), element = _with_elements(shorter, 0, (1,))
    rest = call("slice", [whole, start, call("list_length", [whole], INT32)], list_of(element))
    first = call("greatest", [start, Literal(value=1, type=INT32)], INT32)
    before = call("subtract", [first, Literal(value=1, type=INT32)], INT32)
    return call("add", [call("list_position", [rest, one], INT32), before], INT32)


def _sort(arguments: Arguments) -> Expression:
    """array_sort(list [, descending [, nulls first]]); nulls are above all values."""
    if not 1 <= len(arguments.values) <= 3:
        raise arguments.wrong()
    value, _ = _list(arguments)
    flags = [arguments.as_type(i, BOOLEAN) for i in range(1, len(arguments.values))]
    descending = flags[0] if flags else _NO
    nulls_first = flags[1] if len(flags) > 1 else descending
    return call("list_sort", [value, descending, nulls_first], value.type)


def _plain_sort(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.source.unsupported(
            arguments.call, "list_sort with a direction", "; array_sort(list, descending) has one"
        )
    return _sort(arguments)


def _extreme(function: str) -> Builder:
    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        value, element = _list(arguments)
        return call(function, [value], element)

    return build


def _sum(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value, element = _list(arguments)
    if not element.is_integer:
        raise arguments.source.unsupported(
            arguments.call, f"list_sum of {value.type}", "; sum what unnest gives"
        )
    return call("list_sum", [value], sum_type(element))


def _to_text(arguments: Arguments) -> Expression:
    """array_to_string(list, separator [, text for nulls])."""
    if not 2 <= len(arguments.values) <= 3:
        raise arguments.wrong()
    value, element = _list(arguments)
    if element.is_nested:
        raise arguments.source.unsupported(arguments.call, f"{arguments.name} of {value.type}")
    texts = [arguments.as_type(i, TEXT) for i in range(1, len(arguments.values))]
    return call("list_to_text", [value, *texts], TEXT)


def _to_list(arguments: Arguments) -> Expression:
    """string_to_array(text, separator [, text that is null])."""
    if not 2 <= len(arguments.values) <= 3:
        raise arguments.wrong()
    texts = [arguments.as_type(i, TEXT) for i in range(len(arguments.values))]
    if not isinstance(texts[1], Literal):
        raise arguments.source.unsupported(
            arguments.call, f"{arguments.name} with a separator that is no constant"
        )
    return call("text_to_list", texts, list_of(TEXT))


LIST_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "cardinality": _cardinality,
        "len": _cardinality,
        "array_length": _length,
        "array_upper": _length,
        "array_position": _position,
        "array_lower": _lower,
        "array_ndims": _dimensions,
        "array_dims": _bounds,
        "array_fill": _filled,
        "trim_array": _trimmed,
        "list_position": _sought("list_position", INT32),
        "array_positions": _sought("list_positions", list_of(INT32)),
        "array_contains": _sought("list_contains", BOOLEAN),
        "list_contains": _sought("list_contains", BOOLEAN),
        "array_append": _added(0),
        "list_append": _added(0),
        "array_prepend": _added(1),
        "list_prepend": _added(1),
        "array_cat": _together,
        "list_concat": _together,
        "array_remove": _changed("list_remove", 1),
        "array_replace": _changed("list_replace", 2),
        "array_sort": _sort,
        "list_sort": _plain_sort,
        "array_reverse": _of_list("list_reverse"),
        "list_reverse": _of_list("list_reverse"),
        "list_distinct": _of_list("list_distinct"),
        "list_min": _extreme("list_min"),
        "list_max": _extreme("list_max"),
        "list_sum": _sum,
        "array_to_string": _to_text,
        "string_to_array": _to_list,
    }
)

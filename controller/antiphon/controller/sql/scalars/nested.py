"""Lists and structs in SQL: how they are made, and how one gets at what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from antiphon.controller.sql.binding.coercion import (
    Typed,
    Unknown,
    Unsettled,
    cast,
    settle,
    unify,
)
from antiphon.controller.sql.binding.naming import output_name
from antiphon.controller.sql.binding.types import check_depth, common_type, row_names
from antiphon.controller.sql.parsing.source import Spot, near_miss
from antiphon.controller.sql.parsing.syntax import (
    expect_only,
    is_array_query,
    name_of,
    plain_select,
)
from antiphon.controller.sql.scalars.functions import call
from antiphon.controller.sql.scalars.whole_rows import spelled_out
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    INT32,
    INT64,
    TEXT,
    Type,
    TypeKind,
    list_of,
)

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars

Handler = Callable[["Scalars", exp.Expr], Typed]

_FIRST: Final = Literal(value=1, type=INT64)
_LAST: Final = Literal(value=(1 << 63) - 1, type=INT64)


def _array(scalars: Scalars, node: exp.Expr) -> Typed:
    """ARRAY[...] and [...]: elements of one type."""
    expect_only(scalars.source, node, "expressions", "value_constructor", "bracket_notation")
    nodes = tuple(node.expressions)
    typed = tuple(scalars.typed(part) for part in nodes)
    if all(isinstance(value, Unknown) for value in typed):
        return Unsettled(parts=typed, spots=nodes)
    values, element = unify(scalars.source, nodes, typed, "the elements of an array")
    check_depth(scalars.source, node, list_of(element))
    return call("list", values, list_of(element))


def _row(scalars: Scalars, node: exp.Expr) -> Typed:
    """ROW(a, b) and (a, b)."""
    if not node.expressions:
        raise scalars.source.unsupported(node, "a row without values")
    values = spelled_out(scalars, node.expressions)
    return _of_fields(scalars, row_names(len(values)), values)


def _of_fields(scalars: Scalars, names: Sequence[str], nodes: Sequence[exp.Expr]) -> Typed:
    typed = tuple(scalars.typed(part) for part in nodes)
    whole = Unsettled(parts=typed, spots=tuple(nodes), names=tuple(names))
    if any(isinstance(value, Unknown) for value in typed):
        return whole
    return settle(scalars.source, nodes[0], whole)


def _struct(scalars: Scalars, node: exp.Expr) -> Typed:
    """{'a': 1} and struct_pack(a := 1)."""
    fields: dict[str, exp.Expr] = {}
    for part in node.expressions:
        if not isinstance(part, exp.PropertyEQ | exp.Kwarg):
            raise scalars.source.invalid(node, "each field of a struct has a name: {'a': 1}")
        name = str(part.this.this) if isinstance(node, exp.Struct) else name_of(part.this)
        if name in fields:
            raise scalars.source.invalid(node, f'the field "{name}" is there twice')
        fields[name] = part.expression
    if not fields:
        raise scalars.source.unsupported(node, "a struct without fields")
    return _of_fields(scalars, tuple(fields), tuple(fields.values()))


def _subquery_array(scalars: Scalars, node: exp.Expr) -> Typed:
    """ARRAY(SELECT ...): the rows of a subquery, an empty list if there are none. Of a plain SELECT
    it is the subquery of an array_agg, in the order that is given."""
    if not is_array_query(node):
        message = "ARRAY(...) takes a subquery; elements stand in brackets: ARRAY[...]"
        raise scalars.source.invalid(node, message)
    select = plain_select(node.expressions[0])
    plain = select is not None and not select.args.get("distinct") and len(select.expressions) == 1
    if select is None or not plain or select.expressions[0].is_star:
        return scalars.handed_over(node)
    (item,) = select.expressions
    gathered, value = select.copy(), item.unalias()
    order = gathered.args.get("order")
    if order is not None:
        for part in order.expressions:
            is_name = isinstance(part.this, exp.Column) and not part.this.args.get("table")
            names_it = is_name and name_of(part.this.this) == output_name(item)
            if names_it or (isinstance(part.this, exp.Literal) and part.this.name == "1"):
                part.set("this", value.copy())
        value = exp.Order(this=value.copy(), expressions=order.expressions)
        gathered.set("order", None)
    gathered.set("expressions", [exp.Anonymous(this="array_agg", expressions=[value])])
    found = settle(scalars.source, node, scalars.typed(exp.Subquery(this=gathered)))
    return call("coalesce", [found, Literal(value=(), type=found.type)], found.type)


def _values_array(scalars: Scalars, node: exp.Expr) -> Typed:
    return _array(scalars, exp.Array(expressions=node.expressions).update_positions(node))


def _subscript(scalars: Scalars, node: exp.Expr) -> Expression:
    """list[i], list[i:j] and struct['field']."""
    expect_only(scalars.source, node, "this", "expressions")
    value = settle(scalars.source, node.this, scalars.typed(node.this))
    if len(node.expressions) != 1:
        raise scalars.source.invalid(node, "a subscript is one number, or two with : between them")
    (wanted,) = node.expressions
    if value.type.kind is TypeKind.STRUCT and wanted.is_string:
        return field_of(scalars, node, value, wanted.name)
    if value.type.element is None:
        raise scalars.source.mismatch(node, f"cannot subscript {value.type}; it is no list")
    if isinstance(wanted, exp.Slice):
        return _slice(scalars, wanted, value)
    place = _place(scalars, wanted, wanted)
    return call("element", [value, place], value.type.element)


def _slice(scalars: Scalars, node: exp.Slice, value: Expression) -> Expression:
    if node.args.get("step") is not None:
        raise scalars.source.unsupported(node.args["step"], "a slice with a step")
    first, last = node.args.get("this"), node.args.get("expression")
    bounds = (
        _FIRST if first is None else _place(scalars, first, first),
        _LAST if last is None else _place(scalars, last, last),
    )
    return call("slice", [value, *bounds], value.type)


def _place(scalars: Scalars, node: exp.Expr, spot: Spot) -> Expression:
    value = settle(scalars.source, spot, scalars.typed(node), INT64)
    if not value.type.is_integer:
        raise scalars.source.mismatch(spot, f"a subscript is an integer, not {value.type}")
    return cast(value, INT64)


def _dot(scalars: Scalars, node: exp.Expr) -> Expression:
    """(struct).field."""
    if not isinstance(node.expression, exp.Identifier):
        what = "(...).*" if isinstance(node.expression, exp.Star) else "a call after a dot"
        raise scalars.source.unsupported(node, what)
    return field_of(scalars, node, scalars.lower(node.this), name_of(node.expression))


def field_of(scalars: Scalars, spot: Spot, value: Expression, name: str) -> Expression:
    """A struct's field.

    Raises:
        TypeMismatch: it is no struct.
        InvalidSql: it has no such field.
    """
    if value.type.kind is not TypeKind.STRUCT:
        raise scalars.source.mismatch(spot, f'{value.type} has no field "{name}": it is no struct')
    names = [field.name for field in value.type.fields]
    if name not in names:
        raise scalars.source.invalid(
            spot, f'{value.type} has no field "{name}"{near_miss(name, names)}'
        )
    place = names.index(name)
    return call("field", [value, Literal(value=place, type=INT32)], value.type.fields[place].type)


def fields_of(scalars: Scalars, node: exp.Dot) -> list[tuple[str, Expression]]:
    """What `(struct).*` stands for, by name."""
    value = scalars.lower(node.this)
    if not value.type.fields:
        raise scalars.source.mismatch(node, f"{value.type} has no fields: it is no struct")
    names = [field.name for field in value.type.fields]
    return [(name, field_of(scalars, node, value, name)) for name in names]


def joined(scalars: Scalars, nodes: Sequence[exp.Expr], typed: Sequence[Typed]) -> Expression:
    """`||` with a list on at least one side: lists one behind the other, or a list and an element.

    What has no type yet is a list, as in PostgreSQL.
    """
    result, spot = typed[0], nodes[0]
    for node, right in zip(nodes[1:], typed[1:], strict=True):
        result = _joined(scalars, (spot, node), result, right)
        spot = node
    assert not isinstance(result, Unknown), "two sides make a value"
    return result


def _joined(
    scalars: Scalars, spots: tuple[exp.Expr, exp.Expr], left: Typed, right: Typed
) -> Expression:
    source = scalars.source
    sides = [left, right]
    for place in (0, 1):
        side, other = sides[place], sides[1 - place]
        if isinstance(side, Unsettled) and not side.is_list:
            beside = None if isinstance(other, Unknown) else other.type.element
            sides[place] = settle(source, spots[place], side, beside or TEXT)
    kinds = [None if isinstance(side, Unknown) else side.type for side in sides]
    if not any(is_list(side) for side in sides):
        values = [cast(settle(source, s, t), TEXT) for s, t in zip(spots, sides, strict=True)]
        return call("concat", values, TEXT)
    for place in (0, 1):
        element = _element_beside(sides[place], kinds[1 - place])
        if element is not None:
            of_these = list_of(element)
            whole = cast(settle(source, spots[place], sides[place], of_these), of_these)
            member = cast(settle(source, spots[1 - place], sides[1 - place], element), element)
            ends = [whole, call("list", [member], list_of(element))]
            return call("list_concat", ends if place == 0 else ends[::-1], list_of(element))
    lists, kind = unify(source, spots, sides, 'the sides of "||"')
    return call("list_concat", lists, kind)


def is_list(typed: Typed) -> bool:
    """Whether it is a list, maybe one whose elements have no type yet."""
    if isinstance(typed, Unknown):
        return isinstance(typed, Unsettled) and typed.is_list
    return typed.type.element is not None


def _element_beside(container: Typed, other: Type | None) -> Type | None:
    """The element type of a list to which a value of the type `other` is added, or None if it is
    no element of it."""
    if other is None or not is_list(container):
        return None
    if isinstance(container, Unknown):
        return None if other.element is not None else other
    assert container.type.element is not None, "a list has an element type"
    if common_type(container.type, other) is not None:
        return None  # two lists
    return common_type(container.type.element, other)


def compared_with_any(
    scalars: Scalars, node: exp.Expr, function: str, symbol: str, members: exp.Expr
) -> Expression:
    """`x = ANY (list)`."""
    source = scalars.source
    value, many = scalars.typed(node.this), scalars.typed(members)
    if isinstance(many, Unknown):
        element = settle(source, node.this, value).type
        many = settle(source, members, many, list_of(element))
    if many.type.element is None:
        raise source.mismatch(members, f"{symbol} ANY or ALL needs a list, not {many.type}")
    wanted = many.type.element
    if not isinstance(value, Unknown):
        found = common_type(value.type, wanted)
        if found is None:
            raise source.mismatch(node, f"cannot compare {value.type} {symbol} {wanted}; cast one")
        wanted = found
    one = cast(settle(source, node.this, value, wanted), wanted)
    return call(f"any_{function}", [one, cast(many, list_of(wanted))], BOOLEAN)


def _shared(function: str, *, turned: bool = False) -> Handler:
    """`@>`, `<@` and `&&` of two lists."""

    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        expect_only(scalars.source, node, "this", "expression")
        nodes = [node.expression, node.this] if turned else [node.this, node.expression]
        values, kind = unify(
            scalars.source, nodes, [scalars.typed(n) for n in nodes], "the two lists"
        )
        if kind.element is None:
            raise scalars.source.mismatch(node, f"this operator is of lists, not of {kind}")
        return call(function, values, BOOLEAN)

    return build


NESTED_HANDLERS: Final[Mapping[type[exp.Expr], Handler]] = MappingProxyType(
    {
        exp.Array: _array,
        exp.Tuple: _row,
        exp.Struct: _struct,
        exp.Bracket: _subscript,
        exp.Dot: _dot,
        exp.ArrayContainsAll: _shared("list_contains_all"),
        exp.ArrayContainedBy: _shared("list_contains_all", turned=True),
        exp.ArrayOverlaps: _shared("list_overlaps"),
    }
)
# Calls that make a value out of whatever stands in them.
NESTED_CALLS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "array": _subquery_array,
        "list_value": _values_array,
        "row": _row,
        "struct_pack": _struct,
    }
)

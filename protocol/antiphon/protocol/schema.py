"""Column types and schemas, and their one mapping to Arrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import pyarrow as pa

RESERVED_PREFIX = "antiphon_"
DECIMAL_PRECISION_MAX = 38


class TypeKind(IntEnum):
    """The numbers are those of `antiphon.v1.TypeKind`, for ever."""

    BOOLEAN = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    FLOAT32 = 5
    FLOAT64 = 6
    DECIMAL = 7
    TEXT = 8
    BYTEA = 9
    DATE = 10
    TIMESTAMP = 11
    TIMESTAMPTZ = 12
    INTERVAL = 13
    UUID = 14
    LIST = 15
    STRUCT = 16


INTEGERS = (TypeKind.INT16, TypeKind.INT32, TypeKind.INT64)
FLOATS = (TypeKind.FLOAT32, TypeKind.FLOAT64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A SQL type. `precision`, `scale`: decimals; `element`: lists; `fields`: structs."""

    kind: TypeKind
    precision: int = 0
    scale: int = 0
    element: Type | None = None
    fields: tuple[Column, ...] = ()

    @property
    def is_integer(self) -> bool:
        return self.kind in INTEGERS

    @property
    def is_float(self) -> bool:
        return self.kind in FLOATS

    @property
    def is_nested(self) -> bool:
        return self.kind in (TypeKind.LIST, TypeKind.STRUCT)

    @property
    def depth(self) -> int:
        """How many lists and structs are in each other; 0 of all other types."""
        inside = [field.type for field in self.fields]
        if self.element is not None:
            inside.append(self.element)
        return 1 + max(kind.depth for kind in inside) if inside else 0

    @property
    def has_intervals(self) -> bool:
        """Whether it is the interval, or has intervals in it: equal values may not be the same."""
        inside = [field.type for field in self.fields]
        if self.element is not None:
            inside.append(self.element)
        return self.kind is TypeKind.INTERVAL or any(kind.has_intervals for kind in inside)

    @property
    def is_numeric(self) -> bool:
        return self.is_integer or self.is_float or self.kind is TypeKind.DECIMAL

    def __str__(self) -> str:
        match self.kind:
            case TypeKind.DECIMAL:
                return f"numeric({self.precision},{self.scale})"
            case TypeKind.LIST:
                return f"{self.element}[]"
            case TypeKind.STRUCT:
                return "struct(" + ", ".join(f"{f.name} {f.type}" for f in self.fields) + ")"
            case _:
                return SQL_NAMES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    type: Type
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a collection, in order. Names may repeat only inside plans."""

    columns: tuple[Column, ...]
    # What Arrow calls it, once somebody has asked: each message of a collection asks.
    _arrow: list[pa.Schema] = field(default_factory=list, init=False, compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def types(self) -> tuple[Type, ...]:
        return tuple(column.type for column in self.columns)

    def index_of(self, name: str) -> int | None:
        """The position of the column called `name`, or None."""
        for index, column in enumerate(self.columns):
            if column.name == name:
                return index
        return None

    def project(self, indices: tuple[int, ...]) -> Schema:
        return Schema(tuple(self.columns[index] for index in indices))

    def __len__(self) -> int:
        return len(self.columns)


BOOLEAN = Type(kind=TypeKind.BOOLEAN)
INT16 = Type(kind=TypeKind.INT16)
INT32 = Type(kind=TypeKind.INT32)
INT64 = Type(kind=TypeKind.INT64)
FLOAT32 = Type(kind=TypeKind.FLOAT32)
FLOAT64 = Type(kind=TypeKind.FLOAT64)
TEXT = Type(kind=TypeKind.TEXT)
BYTEA = Type(kind=TypeKind.BYTEA)
DATE = Type(kind=TypeKind.DATE)
TIMESTAMP = Type(kind=TypeKind.TIMESTAMP)
TIMESTAMPTZ = Type(kind=TypeKind.TIMESTAMPTZ)
INTERVAL = Type(kind=TypeKind.INTERVAL)
UUID = Type(kind=TypeKind.UUID)


def decimal(precision: int, scale: int) -> Type:
    assert 1 <= precision <= DECIMAL_PRECISION_MAX, f"precision {precision}"
    assert 0 <= scale <= precision, f"scale {scale} of precision {precision}"
    return Type(kind=TypeKind.DECIMAL, precision=precision, scale=scale)


def list_of(element: Type) -> Type:
    return Type(kind=TypeKind.LIST, element=element)


def struct_of(*fields: Column) -> Type:
    assert fields, "a struct has a field"
    return Type(kind=TypeKind.STRUCT, fields=fields)


SQL_NAMES = {
    TypeKind.BOOLEAN: "boolean",
    TypeKind.INT16: "smallint",
    TypeKind.INT32: "integer",
    TypeKind.INT64: "bigint",
    TypeKind.FLOAT32: "real",
    TypeKind.FLOAT64: "double precision",
    TypeKind.TEXT: "text",
    TypeKind.BYTEA: "bytea",
    TypeKind.DATE: "date",
    TypeKind.TIMESTAMP: "timestamp",
    TypeKind.TIMESTAMPTZ: "timestamptz",
    TypeKind.INTERVAL: "interval",
    TypeKind.UUID: "uuid",
}

_ARROW = {
    TypeKind.BOOLEAN: pa.bool_(),
    TypeKind.INT16: pa.int16(),
    TypeKind.INT32: pa.int32(),
    TypeKind.INT64: pa.int64(),
    TypeKind.FLOAT32: pa.float32(),
    TypeKind.FLOAT64: pa.float64(),
    TypeKind.TEXT: pa.string(),
    TypeKind.BYTEA: pa.binary(),
    TypeKind.DATE: pa.date32(),
    TypeKind.TIMESTAMP: pa.timestamp("us"),
    TypeKind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
    TypeKind.INTERVAL: pa.month_day_nano_interval(),
    TypeKind.UUID: pa.binary(16),
}


def arrow_type(kind: Type) -> pa.DataType:
    """The Arrow type that stores a column of this type."""
    match kind.kind:
        case TypeKind.DECIMAL:
            return pa.decimal128(kind.precision, kind.scale)
        case TypeKind.LIST:
            assert kind.element is not None, "a list without an element type"
            return pa.list_(arrow_type(kind.element))
        case TypeKind.STRUCT:
            return pa.struct(
                [pa.field(f.name, arrow_type(f.type), f.nullable) for f in kind.fields]
            )
        case _:
            return _ARROW[kind.kind]


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a collection's rows, without time and diff. Made once for a schema."""
    made = schema._arrow
    if not made:
        fields = [pa.field(c.name, arrow_type(c.type), c.nullable) for c in schema.columns]
        made.append(pa.schema(fields))
    return made[0]

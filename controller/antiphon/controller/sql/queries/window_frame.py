"""The frame clause of a window: `ROWS | RANGE | GROUPS BETWEEN ... AND ... EXCLUDE ...`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.binding.coercion import Unknown, coerce
from antiphon.controller.sql.binding.scope import Scope
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import expect_only
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Expression, Interval, Literal
from antiphon.protocol.plan import Frame, FrameExclusion, FrameUnit
from antiphon.protocol.schema import FLOAT64, INT64, INTERVAL, Type, TypeKind

_DAY_US: Final = 86_400_000_000
_OFFSET_MAX: Final = (1 << 62) - 1
_MOVED_BY_INTERVALS: Final = (
    TypeKind.DATE, TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ, TypeKind.INTERVAL
)  # fmt: skip
_EXCLUSIONS: Final[Mapping[str, FrameExclusion]] = MappingProxyType(
    {
        "CURRENT ROW": FrameExclusion.CURRENT_ROW,
        "GROUP": FrameExclusion.GROUP,
        "TIES": FrameExclusion.TIES,
        "NO OTHERS": FrameExclusion.NONE,
    }
)


def frame_of(
    source: Source, spec: exp.Expr | None, order: tuple[Expression, ...], window: exp.Expr
) -> Frame | None:
    """The frame that is written; None for the one that is meant where none is.

    Raises:
        InvalidSql: bounds that no frame has.
        UnsupportedSql: a distance that is not computed.
    """
    if spec is None:
        return None
    parts = ("kind", "start", "start_side", "end", "end_side", "exclude")
    expect_only(source, spec, *parts)
    spot = spec if source.knows(spec) else window
    unit = FrameUnit[str(spec.args["kind"]).upper()]
    if unit is FrameUnit.GROUPS and not order:
        raise source.invalid(spot, "a frame of GROUPS needs an ORDER BY")
    bounds = _Bounds(source, spec, spot, unit, order)
    start = bounds.bound("start")
    end = bounds.bound("end") if spec.args.get("end") else (0, None)
    if start[0] is not None and end[0] is not None and _is_backwards(unit, start[0], end[0]):
        raise source.invalid(spot, "the frame ends before it starts")
    exclude = spec.args.get("exclude")
    exclusion = FrameExclusion.NONE if exclude is None else _EXCLUSIONS[exclude.name.upper()]
    if unit is FrameUnit.RANGE and start[0] is None and end[0] == 0 and not exclusion:
        return None
    return Frame(
        unit=unit, start=start[0], end=end[0], start_distance=start[1], end_distance=end[1],
        exclude=exclusion,
    )  # fmt: skip


def _is_backwards(unit: FrameUnit, start: int, end: int) -> bool:
    """What PostgreSQL refuses: a frame that begins on a later side than it ends on."""
    return (start > 0) > (end > 0) or (start >= 0 > end)


@dataclass(frozen=True, slots=True)
class _Bounds:
    source: Source
    spec: exp.Expr
    spot: exp.Expr  # where to point at what has no place of its own
    unit: FrameUnit
    order: tuple[Expression, ...]

    def bound(self, name: str) -> tuple[int | None, Literal | None]:
        source, unit = self.source, self.unit
        written, side = self.spec.args[name], str(self.spec.args.get(f"{name}_side")).upper()
        if written == "CURRENT ROW":
            return 0, None
        sign = -1 if side == "PRECEDING" else 1
        if written == "UNBOUNDED":
            if sign != (-1 if name == "start" else 1):
                raise source.invalid(self.spot, f"a frame cannot {name} with UNBOUNDED {side}")
            return None, None
        if not isinstance(written, exp.Expr):
            raise source.invalid(self.spot, f"the frame of a window does not say where it {name}s")
        if unit is FrameUnit.RANGE:
            return sign, self._distance(written)
        value = self._constant(written, INT64)
        assert isinstance(value.value, int), "coerced to an integer"
        if value.value < 0:
            raise source.invalid(self._place(written), f"{self._what} must not be negative")
        return sign * min(value.value, _OFFSET_MAX), None

    @property
    def _what(self) -> str:
        return f"the offset of {self.unit.name}"

    def _place(self, node: exp.Expr) -> exp.Expr:
        return node if self.source.knows(node) else self.spot

    def _distance(self, node: exp.Expr) -> Literal:
        source, order = self.source, self.order
        if len(order) != 1:
            raise source.invalid(
                self.spot, "RANGE with an offset needs exactly one ORDER BY column"
            )
        kind = order[0].type
        if kind.kind in _MOVED_BY_INTERVALS:
            wanted = INTERVAL
        elif kind.is_float:
            wanted = FLOAT64
        elif kind.is_integer:
            wanted = INT64
        elif kind.kind is TypeKind.DECIMAL:
            wanted = kind
        else:
            what = f"RANGE with an offset in the order of {kind}"
            raise source.unsupported(self.spot, what)
        value = self._constant(node, wanted)
        if _is_negative(source, node, value.value):
            raise source.invalid(self._place(node), f"{self._what} must not be negative")
        return value

    def _constant(self, node: exp.Expr, wanted: Type) -> Literal:
        source, spot = self.source, self._place(node)
        typed = Scalars(source=source, scope=Scope(), place=self._what).typed(node)
        value: Expression
        exact = not isinstance(typed, Unknown) and (
            typed.type.kind is TypeKind.DECIMAL or typed.type.is_integer
        )
        if isinstance(typed, Literal) and exact and wanted.kind is TypeKind.DECIMAL:
            value = typed  # as it is: neither rounded nor too large for the order's type
        else:
            value = coerce(source, spot, typed, wanted, self._what)
        if not isinstance(value, Literal):
            raise source.invalid(spot, f"{self._what} takes a constant")
        if value.value is None:
            raise source.invalid(spot, f"{self._what} must not be null")
        return value


def _is_negative(source: Source, node: exp.Expr, value: object) -> bool:
    if isinstance(value, Interval):
        days = value.months * 30 + value.days  # as intervals are compared
        return days * _DAY_US + value.microseconds < 0
    assert isinstance(value, int | float | Decimal), f"not a number: {value!r}"
    if isinstance(value, float) and not isfinite(value):
        raise source.invalid(node, "the offset of RANGE must be finite")
    return value < 0

"""What text is like: LIKE, SIMILAR TO and regular expressions, and the normal forms of Unicode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import negation
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import Typed, coerce
from antiphon.controller.sql.parsing.syntax import describe, expect_only, quantified_list
from antiphon.controller.sql.scalars.escapes import escaped, pattern_with_escape
from antiphon.controller.sql.scalars.functions import call
from antiphon.controller.sql.scalars.quantifiers import quantified_text
from antiphon.controller.sql.scalars.similar_patterns import similar_to_regexp
from antiphon.controller.sql.scalars.text_regexps import re2_pattern
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import BOOLEAN, TEXT

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars

Handler = Callable[["Scalars", exp.Expr], Typed]


def _like(function: str) -> Handler:
    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        expect_only(scalars.source, node, "this", "expression", "negate")
        if quantified_list(node) is not None:
            return quantified_text(scalars, node)
        return _matched(scalars, node, function, scalars.typed(node.expression))

    return build


def _matched(scalars: Scalars, node: exp.Expr, function: str, pattern: Typed) -> Expression:
    text = coerce(scalars.source, node.this, scalars.typed(node.this), TEXT, "the left side")
    wanted = coerce(scalars.source, node.expression, pattern, TEXT, "the pattern")
    if function != "regexp_match" and isinstance(wanted, Literal) and wanted.value is not None:
        try:
            escaped(str(wanted.value), "\\")
        except ValueError as error:
            raise scalars.source.invalid(node.expression, str(error)) from None
    result = call(function, [text, wanted], BOOLEAN)
    return fold(negation(result)) if node.args.get("negate") else result


def _escape(scalars: Scalars, node: exp.Expr) -> Expression:
    like, escape = node.this, node.expression
    if isinstance(like, exp.SimilarTo):
        if not like.expression.is_string:
            raise scalars.source.unsupported(node, "ESCAPE with a pattern that is not a literal")
        if not escape.is_string or len(escape.name) > 1:
            raise scalars.source.invalid(escape, "ESCAPE takes one character")
        return _similar_to(scalars, like, escape.name)
    if not isinstance(like, exp.Like | exp.ILike) or quantified_list(like) is not None:
        raise scalars.source.unsupported(node, f"ESCAPE after {describe(like)}")
    pattern = pattern_with_escape(scalars, node, like)
    function = "like" if isinstance(like, exp.Like) else "ilike"
    return _matched(scalars, like, function, pattern)


def _regexp(flags: str) -> Handler:
    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        expect_only(scalars.source, node, "this", "expression", "negate")
        if quantified_list(node) is not None:
            return quantified_text(scalars, node)
        given, spot = scalars.typed(node.expression), node.expression
        pattern = coerce(scalars.source, spot, given, TEXT, "the pattern")
        wanted = re2_pattern(scalars.source, spot, pattern, flags)
        return _matched(scalars, node, "regexp_match", wanted)

    return build


def _similar(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression", "negate")
    if not node.expression.is_string:
        raise scalars.source.unsupported(node, "SIMILAR TO with a pattern that is not a literal")
    return _similar_to(scalars, node, "\\")


def _similar_to(scalars: Scalars, node: exp.Expr, escape: str) -> Expression:
    pattern = node.expression
    try:
        wanted = similar_to_regexp(pattern.name, escape)
    except ValueError as error:
        raise scalars.source.invalid(pattern, str(error)) from None
    literal = Literal(value=wanted, type=TEXT)
    return _matched(
        scalars, node, "regexp_match", re2_pattern(scalars.source, pattern, literal, "")
    )


_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")


def normalized(scalars: Scalars, node: exp.Anonymous) -> Expression:
    """normalize(text [, form]): the form is a bare word."""
    parts = node.expressions
    form = parts[1].name.upper() if len(parts) == 2 else "NFC"
    if len(parts) not in (1, 2) or form not in _FORMS:
        raise scalars.source.invalid(node, f"normalize takes a text and one of {', '.join(_FORMS)}")
    text = coerce(scalars.source, parts[0], scalars.typed(parts[0]), TEXT, "the text of normalize")
    return call("normalize", [text, Literal(value=form, type=TEXT)], TEXT)


PATTERN_HANDLERS: Final[Mapping[type[exp.Expr], Handler]] = MappingProxyType(
    {
        exp.Like: _like("like"),
        exp.ILike: _like("ilike"),
        exp.Escape: _escape,
        exp.RegexpLike: _regexp(""),
        exp.RegexpILike: _regexp("i"),
        exp.SimilarTo: _similar,
    }
)

"""Parsing with sqlglot: PostgreSQL's grammar, less what would lose what the user wrote.

Two changes. Functions come out as written, name and arguments, because sqlglot's own catalogue
rewrites some into others. And an interval keeps its text: sqlglot drops what follows the first
unit of `interval '1 day 2:00'`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import Token, TokenType

from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.spelling import respelt
from antiphon.controller.sql.parsing.syntax import word_of_call
from antiphon.protocol.errors import InvalidSql, LimitExceeded
from antiphon.protocol.limits import SQL_TOKENS_MAX

# Functions with a grammar of their own: `extract(year from x)` and the like.
_SPECIAL_FORMS: Final = ("CAST", "EXTRACT", "OVERLAY", "POSITION", "SUBSTRING", "TRIM")
_INTERVAL_FIELDS: Final = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"})


_SHIFTS: Final = {
    TokenType.LT: exp.BitwiseLeftShift, TokenType.GT: exp.BitwiseRightShift,
}  # fmt: skip
_PLAIN: Final = {"\\a": "a", "\\v": "v"}  # in E'...', where they are nothing else
_WORDS: Final = (TokenType.LIKE, TokenType.ILIKE)  # which are operators as `~~` and `~~*`

USING_ALIAS: Final = "using_alias"  # of a join, behind the columns of USING


class _Parser(PostgresParser):
    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {
        name: parse
        for name, parse in PostgresParser.FUNCTION_PARSERS.items()
        if name in _SPECIAL_FORMS
    }

    # Operators without a precedence of their own are on one level, below `+`, whatever they test.
    OPERATORS: ClassVar = {
        **PostgresParser.BITWISE,
        TokenType.DPIPE: exp.DPipe,
        TokenType.RLIKE: exp.RegexpLike,
        TokenType.IRLIKE: exp.RegexpILike,
        TokenType.AT_GT: exp.ArrayContainsAll,
        TokenType.LT_AT: exp.ArrayContainedBy,
        TokenType.DAMP: exp.ArrayOverlaps,
        TokenType.CARET_AT: exp.StartsWith,
        TokenType.LIKE: exp.Like,
        TokenType.ILIKE: exp.ILike,
    }
    # Those before one value take a whole sum: `~ 5 + 1` is -7.
    PREFIXES: ClassVar = {
        TokenType.RLIKE: exp.BitwiseNot, TokenType.PIPE_SLASH: exp.Sqrt,
        TokenType.DPIPE_SLASH: exp.Cbrt, TokenType.PARAMETER: exp.Abs,
    }  # fmt: skip

    # A parameter is none of ours, and `a[:b]` has one of two places.
    PLACEHOLDER_PARSERS: ClassVar = {
        token: parse
        for token, parse in PostgresParser.PLACEHOLDER_PARSERS.items()
        if token != TokenType.COLON
    }

    def _parse_function_call(self, *args: Any, **options: Any) -> exp.Expr | None:
        """As ever, with a place for calls without arguments, such as `current_date`."""
        token = self._curr
        found: exp.Expr | None = super()._parse_function_call(*args, **options)
        if found is not None and token and not found.meta.get("start"):
            found.update_positions(token)
        word = word_of_call(found)
        if found is not None and word is not None:
            return self.expression(word).update_positions(found)
        return found

    def _parse_escape(self, this: exp.Expr | None) -> exp.Expr | None:
        """`ESCAPE` of any text."""
        if not self._match(TokenType.ESCAPE):
            return this
        return self.expression(exp.Escape(this=this, expression=self._parse_bitwise()))

    def _parse_limit(self, *args: Any, **options: Any) -> exp.Expr | None:
        """As ever, but for `LIMIT 1, 2`, which is another dialect's."""
        found: exp.Expr | None = super()._parse_limit(*args, **options)
        if isinstance(found, exp.Limit) and found.args.get("offset") is not None:
            self.raise_error("Write LIMIT and OFFSET, each with its number")
        return found

    def _parse_bitwise(self) -> exp.Expr | None:
        """Operators from the left, each with a sum on its right."""
        this: exp.Expr | None = self._parse_term()
        while (found := self._parse_operator_behind(this)) is not None:
            this = found
        return this

    def _parse_operator_behind(self, this: exp.Expr | None) -> exp.Expr | None:
        """`this`, an operator, and what is behind it; None: no operator is here."""
        for kind, node in _SHIFTS.items():
            if self._match_pair(kind, kind):
                return self.expression(node(this=this, expression=self._parse_term()))
        if self._match_set(self.JSON_OPERATORS):
            build = self.JSON_OPERATORS[self._prev.token_type]
            made: exp.Expr | None = build(self, this, self._parse_term())
            return made
        negated = bool(self._curr) and self._curr.token_type == TokenType.NOT
        negated = negated and self._curr.text == "!"
        operator = self._operator_of(self._next if negated else self._curr)
        if operator is None:
            return None
        self._advance(2 if negated else 1)
        made = self.expression(operator(this=this, expression=self._parse_term()))
        return self._negate_range(made) if negated else made

    def _operator_of(self, token: Token | None) -> type[exp.Expr] | None:
        if token is None or (token.token_type in _WORDS and token.text[0] != "~"):
            return None
        found: type[exp.Expr] | None = self.OPERATORS.get(token.token_type)
        return found

    def _parse_unary(self) -> exp.Expr | None:
        """As ever, but for operators of one value."""
        token = self._curr
        operator = self.PREFIXES.get(token.token_type) if token else None
        if operator is None or token.text == "$":
            made: exp.Expr | None = super()._parse_unary()
            return made
        self._advance()
        return self.expression(operator(this=self._parse_term())).update_positions(token)

    def _parse_substring(self) -> exp.Substring:
        """As ever, and `SUBSTRING(text SIMILAR pattern ESCAPE character)`."""
        index = self._index
        text = self._parse_bitwise()
        if not self._match_text_seq("SIMILAR"):
            self._retreat(index)
            found: exp.Substring = super()._parse_substring()
            return found
        pattern = self._parse_bitwise()
        if not self._match(TokenType.ESCAPE):
            self.raise_error("Expected ESCAPE")
        parts = {"this": text, "start": pattern, "length": self._parse_bitwise()}
        return self.expression(exp.Substring(**parts))

    def _negate_range(self, this: exp.Expr | None = None) -> exp.Expr | None:
        """As ever, but `!~ ALL` is no match with any: the parser negates the whole."""
        if isinstance(this, exp.RegexpLike | exp.RegexpILike):
            side, others = this.args.get("expression"), {exp.All: exp.Any, exp.Any: exp.All}
            if isinstance(side, exp.All | exp.Any):
                this.set("expression", others[type(side)](this=side.this))
        found: exp.Expr | None = super()._negate_range(this)
        return found

    def _parse_unnest(self, *args: Any, **options: Any) -> exp.Unnest | None:
        """As ever, with its place."""
        token = self._curr
        found: exp.Unnest | None = super()._parse_unnest(*args, **options)
        counted = found is not None and isinstance(found.args.get("offset"), exp.Expr)
        if counted and self._prev and self._prev.token_type != TokenType.R_PAREN:
            self.raise_error("WITH OFFSET is WITH ORDINALITY")  # another dialect's
        return found.update_positions(token) if found is not None and token else found

    def _parse_in(self, *args: Any, **options: Any) -> exp.In:
        """As ever, and VALUES is a query."""
        found: exp.In = super()._parse_in(*args, **options)
        if len(found.expressions) == 1 and isinstance(found.expressions[0], exp.Values):
            query = exp.Subquery(this=found.expressions[0])
            return self.expression(exp.In(this=found.this, query=query))
        return found

    def _parse_join(self, *args: Any, **options: Any) -> exp.Join | None:
        """As ever, and `USING (...) AS name`."""
        found: exp.Join | None = super()._parse_join(*args, **options)
        if found is not None and found.args.get("using") and self._match(TokenType.ALIAS):
            found.set(USING_ALIAS, self._parse_id_var())
        return found

    def _parse_lateral(self) -> exp.Lateral | None:
        """As ever, with its place."""
        token = self._curr
        found: exp.Lateral | None = super()._parse_lateral()
        return found.update_positions(token) if found is not None and token else found

    def _parse_types(self, check_func: bool = False, *args: Any, **options: Any) -> exp.Expr | None:
        """As ever, and `ROW (a int, ...)` as another word for STRUCT."""
        following = self._next
        is_row = self._curr and self._curr.text.upper() == "ROW" and not check_func
        if is_row and following and following.token_type == TokenType.L_PAREN:
            self._advance(2)
            fields = self._parse_csv(lambda: self._parse_struct_types(type_required=True))
            self._match_r_paren()
            kind = exp.DataType(this=exp.DType.STRUCT, expressions=fields, nested=True)
            while self._match_pair(TokenType.L_BRACKET, TokenType.R_BRACKET):
                kind = exp.DataType(this=exp.DType.ARRAY, expressions=[kind], nested=True)
            return kind
        found: exp.Expr | None = super()._parse_types(check_func, *args, **options)
        return found

    def _parse_bracket(self, this: exp.Expr | None = None) -> exp.Expr | None:
        """As ever, but what stands before a bracket is kept: the parser drops it before a brace,
        and takes a subscript of whatever is called array or list for a list of its own."""
        if this is None or self._curr is None:
            made: exp.Expr | None = super()._parse_bracket(this)
            return made
        if self._curr.token_type == TokenType.L_BRACE:
            self.raise_error("Unexpected token")
        before = self._tokens[self._index - 2] if self._index > 1 else None
        qualified = before is not None and before.token_type == TokenType.DOT
        is_word = self._prev.token_type == TokenType.ARRAY
        if (
            self._curr.token_type != TokenType.L_BRACKET
            or this.name.upper() not in self.ARRAY_CONSTRUCTORS
            or (is_word and not qualified)
        ):
            made = super()._parse_bracket(this)
            return made
        self._advance()
        places = self._parse_csv(self._parse_bracket_key_value)
        if not self._match(TokenType.R_BRACKET):
            self.raise_error("Expected ]")
        return self._parse_bracket(self.expression(exp.Bracket(this=this, expressions=places)))

    def _parse_interval(
        self, require_interval: bool = True, parse_function_unit: bool = True
    ) -> exp.Interval | None:
        """`INTERVAL 'text' [field [TO field]]`, with the text as it stands."""
        following = self._next
        if not (self._curr and self._curr.token_type == TokenType.INTERVAL):
            return None
        if not (following and following.token_type == TokenType.STRING):
            return None
        self._advance(2)
        node = exp.Interval(this=exp.Literal.string(following.text))
        node.update_positions(following)
        if self._curr and self._curr.text.upper() in _INTERVAL_FIELDS:
            unit = exp.Var(this=self._curr.text.upper())
            self._advance()
            if self._match_text_seq("TO"):
                unit = exp.Var(this=f"{unit.this} TO {self._curr.text.upper()}")
                self._advance()
            node.set("unit", unit)
        return node


class AntiphonDialect(Postgres):
    """PostgreSQL's lexical rules with the parser above."""

    INDEX_OFFSET = 0  # subscripts as they are written
    UNESCAPED_SEQUENCES = _PLAIN
    parser_class = _Parser  # type: ignore[assignment]  # declared as its own base class


_DIALECT: Final = AntiphonDialect()


def tokenize(source: Source) -> list[Token]:
    """
    Raises:
        InvalidSql: an unterminated string, a stray character.
    """
    try:
        return list(_DIALECT.tokenize(source.piece.text))
    except SqlglotError as error:
        raise source.invalid(None, _plain(str(error))) from None


def parse(source: Source, start: int = 0, stop: int | None = None) -> exp.Expr:
    """One statement: the text from offset `start` to `stop`, positions kept.

    Raises:
        InvalidSql: it does not parse; with the place.
    """
    # Blanks instead of a slice: offsets stay those of the whole statement.
    text = source.piece.text
    if start:
        text = "".join("\n" if c == "\n" else " " for c in text[:start]) + text[start:]
    text = text if stop is None else text[:stop]
    try:
        tokens = _DIALECT.tokenize(text)
        _check_count(start, source, tokens)
        tokens = respelt(source, tokens, text)
        _check_commas(source, tokens)
        _check_words(source, tokens)
        parser = _DIALECT.parser(error_level=ErrorLevel.IMMEDIATE)
        parsed = parser.parse(tokens, text)
    except ParseError as error:
        raise _parse_error(source, error) from None
    except SqlglotError as error:
        raise source.invalid(start, _plain(str(error))) from None
    except RecursionError:
        raise source.invalid(start, "the statement is nested too deeply") from None
    if len(parsed) != 1 or parsed[0] is None:
        raise source.invalid(start, "expected one statement")
    for alias in parsed[0].find_all(exp.TableAlias):
        if any(isinstance(column, exp.ColumnDef) for column in alias.columns):
            hint = "; give the names alone, and cast where it is read"
            raise source.unsupported(alias, "an alias with types of columns", hint)
    return parsed[0]


def parse_type(source: Source, start: int, stop: int) -> exp.DataType:
    """The name of a type that stands at [start, stop)."""
    text = source.piece.text[start:stop]
    try:
        parsed = exp.DataType.build(text, dialect=_DIALECT)
    except (SqlglotError, ValueError):
        raise source.invalid(start, f"{text!r} is not the name of a type") from None
    return parsed


# What may not stand after a comma: the parser skips an empty element without a word.
_ENDS_A_LIST: Final = frozenset(
    {
        TokenType.COMMA, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.FROM,
        TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.HAVING, TokenType.LIMIT,
        TokenType.UNION,
    }
)  # fmt: skip


_BEGINS_A_LIST: Final = frozenset(
    {
        TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.SELECT,
        TokenType.FROM, TokenType.GROUP_BY,
        TokenType.ORDER_BY, TokenType.VALUES,
    }
)  # fmt: skip


def _check_count(start: int, source: Source, tokens: list[Token]) -> None:
    if len(tokens) > SQL_TOKENS_MAX:
        line, column = source.place(start)
        raise LimitExceeded(
            f"line {line}:{column}: the statement has {len(tokens)} words and marks, at most "
            f"{SQL_TOKENS_MAX} are allowed; put values into a table, and join it",
            limit="SQL_TOKENS_MAX", line=line, column=column,
        )  # fmt: skip


def _check_commas(source: Source, tokens: list[Token]) -> None:
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.COMMA:
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            before = tokens[index - 1].token_type if index else TokenType.SELECT
            empty_before = before in _BEGINS_A_LIST
            if empty_before or following is None or following.token_type in _ENDS_A_LIST:
                raise source.invalid(token.start, 'syntax error near ","')


def _check_words(source: Source, tokens: list[Token]) -> None:
    """Refuse the words that the parser passes over in silence."""
    for token, following in pairwise([*tokens, None]):
        kind = None if following is None else following.token_type
        if token is None:
            continue
        if token.token_type == TokenType.ARRAY and kind not in _OPENS_AN_ARRAY:
            raise source.unsupported(token.start, "ARRAY after a type", "; write int[]")
        if token.text.upper() == "MAP" and kind == TokenType.L_BRACE:
            raise source.unsupported(token.start, "a map")
        if token.token_type == TokenType.NUMBER and following is not None:
            _check_number(source, token, following)


def _check_number(source: Source, token: Token, following: Token) -> None:
    """Refuse `12ab`, of which the parser makes a number and its alias."""
    is_next = following.start == token.end + 1
    if is_next and (following.text[:1].isalpha() or following.text.startswith("_")):
        raise source.invalid(token.start, f'"{token.text}{following.text}" is no number')


_OPENS_AN_ARRAY: Final = (TokenType.L_BRACKET, TokenType.L_PAREN, TokenType.LT)


def _parse_error(source: Source, error: ParseError) -> InvalidSql:
    if not error.errors:
        return source.invalid(None, _plain(str(error)))
    detail = error.errors[0]
    near = str(detail.get("highlight") or "")
    line, column = int(detail.get("line") or 1), int(detail.get("col") or 1)
    message = "syntax error" + (f' near "{near}"' if near else "")
    description = _plain(str(detail.get("description") or ""))
    if description.startswith("Required keyword"):
        message += ": something is missing here"
    elif description and "Unexpected token" not in description:
        told = description.split(" but got <")[0]  # it shows a token as Python does
        message += f": {told[0].lower()}{told[1:].rstrip('.')}"
    lines = source.piece.text.split("\n")
    offset = sum(len(text) + 1 for text in lines[: line - 1]) + max(column - max(len(near), 1), 0)
    return source.invalid(min(offset, len(source.piece.text)), message)


def _plain(message: str) -> str:
    """The first line, without terminal colours."""
    first = message.split("\n", 1)[0]
    while "\x1b[" in first:
        before, _, after = first.partition("\x1b[")
        first = before + after.partition("m")[2]
    return first.strip()

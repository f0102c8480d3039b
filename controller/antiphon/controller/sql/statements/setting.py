"""ALTER SYSTEM: settings that hold for the whole instance, from now on and after restarts."""

from __future__ import annotations

from antiphon.controller.instance.settings import PINNED, SETTINGS, checked
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.statement import AlterSystem
from antiphon.protocol.command import DEFAULT_SETTING
from antiphon.protocol.errors import InvalidArgument


def plan_alter_system(source: Source, cursor: Cursor) -> AlterSystem:
    """The statement after ALTER SYSTEM: `SET name = value`, `RESET name`, `RESET ALL`."""
    if cursor.accept("RESET"):
        if cursor.accept("ALL"):
            cursor.expect_end()
            names = [name for name in SETTINGS if name not in PINNED]
            return AlterSystem(values=dict.fromkeys(names, DEFAULT_SETTING))
        name = _name(source, cursor)
        cursor.expect_end()
        return AlterSystem(values={name: DEFAULT_SETTING})
    if not cursor.accept("SET"):
        raise cursor.unexpected("SET or RESET")
    name = _name(source, cursor)
    if not (cursor.accept("=") or cursor.accept("TO")):
        raise cursor.unexpected('"=" or TO')
    if cursor.at_end:
        raise cursor.unexpected("a value")
    start, value = cursor.peek().start, _value(cursor)
    cursor.expect_end()
    try:
        return AlterSystem(values={name: checked(name, value)})
    except InvalidArgument as error:
        raise source.invalid(start, error.message) from None


def _name(source: Source, cursor: Cursor) -> str:
    start = cursor.peek().start
    name = cursor.name("a setting")
    if name not in SETTINGS:
        hint = near_miss(name, SETTINGS) or f"; there are {', '.join(SETTINGS)}"
        raise source.invalid(start, f'there is no setting "{name}"{hint}')
    return name


def _value(cursor: Cursor) -> str:
    """A number, a quoted string, or DEFAULT."""
    sign = "-" if cursor.accept("-") else ""
    found = cursor.take()
    if found.kind == "string":
        return found.text[1:-1].replace("''", "'")
    return sign + found.text.lower()

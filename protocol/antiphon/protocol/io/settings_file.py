"""The settings file: one TOML file for all parts of an installation, one table for each.

A table or a name that nobody reads is refused here and by the parts: a misspelt `token` must not
leave a server open.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from antiphon.protocol.errors import InvalidArgument

DEFAULT_FILE: Final = Path("antiphon.toml")
TABLES: Final = ("client", "controller", "replica")
_HEADER: Final = re.compile(r"\s*\[\s*([^\[\]]*?)\s*\]\s*(#.*)?")


class BadSetting(InvalidArgument):
    """A setting that nobody can work with, told where it was made. It never travels: who has it
    does not start."""


def settings_table(file: str | Path | None, table: str) -> dict[str, Any]:
    """One part's table; empty if the file has none. `file` None: `antiphon.toml` here, if any.

    Raises:
        BadSetting: the file is missing though named, is no TOML, or has other tables.
    """
    assert table in TABLES, table
    path = DEFAULT_FILE if file is None else Path(file)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if file is None:
            return {}
        raise BadSetting(f"there is no settings file {path}", path=str(path)) from error
    except OSError as error:
        raise BadSetting(f"cannot read {path}: {error.strerror}", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is no settings file: {error}", path=str(path)) from error
    for name, value in content.items():
        if name not in TABLES:
            known = ", ".join(f"[{one}]" for one in TABLES)
            raise BadSetting(f"{path}: {name} is not one of the tables {known}", name=name)
        if not isinstance(value, dict):
            raise BadSetting(f"{path}: {name} is no table", name=name)
    found: dict[str, Any] = content.get(table, {})
    return found


def place_of(file: str | Path | None, table: str, name: str) -> str:
    """Where the file sets a name, for people: `file antiphon.toml, line 3`. The parser tells no
    lines; what is written in another way than a line of its own is told without one."""
    path = DEFAULT_FILE if file is None else Path(file)
    inside, whole = "", re.escape(name)
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            inside = header[1]
            found = inside == f"{table}.{name}"
        else:
            key = whole if inside == table else rf"{table}\s*\.\s*{whole}"
            found = inside in ("", table) and re.match(rf"\s*{key}\s*[=.]", line) is not None
        if found:
            return f"file {path}, line {number}"
    return f"file {path}"

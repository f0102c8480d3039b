"""The settings file: one TOML file for all parts of an installation, one table for each.

A table or a name that nobody reads is refused here and by the parts: a misspelt `token` must not
leave a server open.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from antiphon.protocol.errors import InvalidArgument

DEFAULT_FILE: Final = Path("antiphon.toml")
TABLES: Final = ("client", "controller", "replica")


def settings_table(file: str | Path | None, table: str) -> dict[str, Any]:
    """One part's table; empty if the file has none. `file` None: `antiphon.toml` here, if any.

    Raises:
        InvalidArgument: the file is missing though named, is no TOML, or has other tables.
    """
    assert table in TABLES, table
    path = DEFAULT_FILE if file is None else Path(file)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if file is None:
            return {}
        raise InvalidArgument(f"there is no settings file {path}", path=str(path)) from error
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {error.strerror}", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} is no settings file: {error}", path=str(path)) from error
    for name, value in content.items():
        if name not in TABLES:
            known = ", ".join(f"[{one}]" for one in TABLES)
            raise InvalidArgument(f"{path}: {name} is not one of the tables {known}", name=name)
        if not isinstance(value, dict):
            raise InvalidArgument(f"{path}: {name} is no table", name=name)
    found: dict[str, Any] = content.get(table, {})
    return found

"""LIKE ... ESCAPE: known patterns, and the same of each row."""

from __future__ import annotations

import re

import pytest

from antiphon.controller.sql.scalars.escapes import escaped, mark_regexp

CASES = [
    ("a!%b", "!", r"a\%b"), ("a!!", "!", r"a\!"), (r"a\b", "!", r"a\\b"), ("!\\", "!", "\\\\"),
    (r"a\%", "", r"a\\%"), (r"a\%", "\\", r"a\%"), ("a.%.", ".", None), ("", "!", ""),
    ("x!\n", "!", "x\\\n"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "mark", "plain"), CASES)
def test_a_pattern_escapes_with_a_backslash(pattern: str, mark: str, plain: str | None) -> None:
    if plain is None:
        with pytest.raises(ValueError, match="ends with its escape character"):
            escaped(pattern, mark)
        return
    assert escaped(pattern, mark) == plain
    changed = re.sub(mark_regexp(mark), lambda m: "\\" + (m[1] or "") + (m[2] or ""), pattern)
    assert changed == plain

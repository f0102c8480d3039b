"""The patterns of SIMILAR TO, as regular expressions of PostgreSQL."""

from __future__ import annotations

from typing import Final


def similar_to_regexp(pattern: str, escape: str = "\\") -> str:
    """The pattern, for the whole text.

    Raises:
        ValueError: it ends with its escape character.
    """
    return f"^{''.join(f'(?:{part})' for part in _parts(pattern, escape))}$"


def similar_part(pattern: str, escape: str) -> str:
    """As above, with one group: what stands between two separators, each the escape character and a
    quotation mark, or all of it. What comes before it is as short as can be.

    Raises:
        ValueError: it ends with its escape character, or has separators other than two.
    """
    match _parts(pattern, escape):
        case [whole]:
            return f"^({whole})$"
        case [before, wanted, behind]:
            return f"^(?U:{before})({wanted})(?:{behind})$"
        case parts:
            message = f"a pattern of SIMILAR has two separators or none, not {len(parts) - 1}"
            raise ValueError(message)


def _parts(pattern: str, escape: str) -> list[str]:
    """What stands between separators. No group captures."""
    parts = [""]
    position, in_class = 0, False
    while position < len(pattern):
        char = pattern[position]
        if char == escape:
            position += 1
            if position == len(pattern):
                raise ValueError("the pattern ends with its escape character")
            escaped = pattern[position]
            if escaped == '"' and not in_class:
                parts.append("")
            else:
                parts[-1] += "\\" + escaped
        elif in_class:
            in_class = char != "]"
            parts[-1] += "\\\\" if char == "\\" else char
        else:
            in_class = char == "["
            parts[-1] += _MEANINGS.get(char, char)
        position += 1
    return parts


_MEANINGS: Final = {
    "%": ".*", "_": ".", "(": "(?:", "\\": "\\\\", ".": "\\.", "^": "\\^", "$": "\\$",
}  # fmt: skip

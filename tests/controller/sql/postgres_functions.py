"""PostgreSQL's functions that DuckDB has not, or has otherwise: in plain Python, one value at a
time, for DuckDB to call."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import math
import re
from collections.abc import Callable
from typing import Any, Final

import duckdb


def _initcap(text: str) -> str:
    found, before = [], False
    for char in text:
        found.append(char.lower() if before else char.upper())
        before = char.isalnum()
    return "".join(found)


def _translate(text: str, old: str, new: str) -> str:
    table = {char: new[i : i + 1] for i, char in reversed(list(enumerate(old)))}
    return "".join(table.get(char, char) for char in text)


def _overlay(text: str, new: str, start: int, size: int) -> str:
    return text[: start - 1] + new + text[max(start + size - 1, 0) :]


def _to_hex(value: int) -> str:
    return f"{value & 0xFFFFFFFF:x}"


def _encoded(text: str) -> str:
    raw = base64.b64encode(text.encode()).decode()
    return "\n".join(raw[i : i + 76] for i in range(0, len(raw), 76))


def _quote(text: str) -> str:
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def _split(text: str, mark: str) -> list[str]:
    return text.split(mark)


def _groups(text: str, pattern: str) -> list[str | None] | None:
    found = re.search(pattern, text)
    return None if found is None else list(found.groups())


def _bucket(value: float, first: float, last: float, count: int) -> int:
    step = (last - first) / count
    return max(0, min(count + 1, math.floor((value - first) / step) + 1))


# By name: the function, what it takes, what it gives. None stands for null and is not passed.
_REFERENCES: Final[dict[str, tuple[Callable[..., Any], list[str], str]]] = {
    "initcap": (_initcap, ["VARCHAR"], "VARCHAR"),
    "overlay": (_overlay, ["VARCHAR", "VARCHAR", "INTEGER", "INTEGER"], "VARCHAR"),
    "to_hexadecimal": (_to_hex, ["INTEGER"], "VARCHAR"),
    "quote_literal": (_quote, ["VARCHAR"], "VARCHAR"),
    "width_bucket": (_bucket, ["DOUBLE"] * 3 + ["INTEGER"], "INTEGER"),
    "div": (lambda a, b: math.trunc(a / b), ["DOUBLE"] * 2, "DOUBLE"),
    "sind": (lambda x: math.sin(math.radians(x)), ["DOUBLE"], "DOUBLE"),
    "cosd": (lambda x: math.cos(math.radians(x)), ["DOUBLE"], "DOUBLE"),
    "tand": (lambda x: math.tan(math.radians(x)), ["DOUBLE"], "DOUBLE"),
    "asind": (lambda x: math.degrees(math.asin(x)), ["DOUBLE"], "DOUBLE"),
    "acosd": (lambda x: math.degrees(math.acos(x)), ["DOUBLE"], "DOUBLE"),
    "atand": (lambda x: math.degrees(math.atan(x)), ["DOUBLE"], "DOUBLE"),
    "atan2d": (lambda y, x: math.degrees(math.atan2(y, x)), ["DOUBLE"] * 2, "DOUBLE"),
    "min_scale": (lambda x: len(f"{x:.3f}".rstrip("0").split(".")[1]), ["DOUBLE"], "INTEGER"),
    "to_date": (lambda text, _: dt.date.fromisoformat(text), ["VARCHAR"] * 2, "DATE"),
    "base64_of": (_encoded, ["VARCHAR"], "VARCHAR"),
    "regexp_instr": (lambda text, sought: text.find(sought) + 1, ["VARCHAR"] * 2, "INTEGER"),
    "regexp_match": (_groups, ["VARCHAR"] * 2, "VARCHAR[]"),
    "cotd": (lambda x: 1 / math.tan(math.radians(x)), ["DOUBLE"], "DOUBLE"),
    "to_bin": (lambda value: f"{value & 0xFFFFFFFF:b}", ["INTEGER"], "VARCHAR"),
    "to_oct": (lambda value: f"{value & 0xFFFFFFFF:o}", ["INTEGER"], "VARCHAR"),
    "sha224_of": (
        lambda text: hashlib.sha224(text.encode()).hexdigest(),
        ["VARCHAR"],
        "VARCHAR",
    ),
    "sha384_of": (
        lambda text: hashlib.sha384(text.encode()).hexdigest(),
        ["VARCHAR"],
        "VARCHAR",
    ),
    "get_byte": (lambda raw, n: raw[n], ["BLOB", "INTEGER"], "INTEGER"),
    "get_bit_of": (lambda raw, n: raw[n // 8] >> n % 8 & 1, ["BLOB", "INTEGER"], "INTEGER"),
    "set_byte": (
        lambda raw, n, new: raw[:n] + bytes([new]) + raw[n + 1 :],
        ["BLOB"] + ["INTEGER"] * 2,
        "BLOB",
    ),
    "set_first_bit": (lambda raw: bytes([raw[0] | 1]) + raw[1:], ["BLOB"], "BLOB"),
    "bits_of": (lambda raw: sum(byte.bit_count() for byte in raw), ["BLOB"], "BIGINT"),
    "trim_of": (lambda raw, gone: raw.strip(gone), ["BLOB"] * 2, "BLOB"),
    "ltrim_of": (lambda raw, gone: raw.lstrip(gone), ["BLOB"] * 2, "BLOB"),
    "rtrim_of": (lambda raw, gone: raw.rstrip(gone), ["BLOB"] * 2, "BLOB"),
    "sha512_of": (
        lambda text: hashlib.sha512(text.encode()).hexdigest(),
        ["VARCHAR"],
        "VARCHAR",
    ),
    "lower_end": (lambda text: text[:-2] + text[-2:].lower(), ["VARCHAR"], "VARCHAR"),
    "scale": (lambda _: 3, ["DECIMAL(10,3)"], "INTEGER"),  # as declared
    "regexp_count": (lambda text, sought: text.count(sought), ["VARCHAR"] * 2, "INTEGER"),
}
# Calls that the two write in another way.
_PLACE: Final = r"\((\w+)\) WITHIN GROUP \(ORDER BY (\w+)\)"
_SPELLINGS: Final = (
    (rf"\brank{_PLACE}", r"(1 + count(*) FILTER (WHERE \2 < \1))"),
    (rf"\bcume_dist{_PLACE}", r"((1 + count(*) FILTER (WHERE \2 <= \1)) / (1e0 + count(*)))"),
    (r"encode\(convert_to\((\w+), 'UTF8'\), 'base64'\)", r"base64_of(\1)"),
    (r"encode\(sha256\(convert_to\((\w+), 'UTF8'\)\), 'hex'\)", r"sha256(\1)"),
    (r"\bregexp_substr\((\w+), ('[^']*'), 1, (\d)\)", r"regexp_extract_all(\1, \2)[\3]"),
    (r"\bregexp_substr\(", "regexp_extract("),
    (r"\bto_hex\(", "to_hexadecimal("),
    (
        r"\bregexp_matches\(([^()]*), 'g'\)",
        r"unnest(list_transform(regexp_extract_all(\1), lambda x: [x]))",
    ),
    (r"\bconvert_from\(convert_to\((\w+), 'UTF8'\), 'UTF8'\)", r"\1"),
    (r"encode\(sha(224|384)\(convert_to\((\w+), 'UTF8'\)\), 'hex'\)", r"sha\1_of(\2)"),
    (
        r"\bb?(l?|r?)trim\((convert_to\(\w+, 'UTF8'\)), (convert_to\(\w+, 'UTF8'\))\)",
        r"\1trim_of(\2, \3)",
    ),
    (r"\bbit_count\((convert_to\(\w+, 'UTF8'\))\)", r"bits_of(\1)"),
    (r"\bget_bit\((convert_to\(\w+, 'UTF8'\)), ", r"get_bit_of(\1, "),
    (r"\bset_bit\((convert_to\(\w+, 'UTF8'\)), 0, 1\)", r"set_first_bit(\1)"),
    (r"\barray_ndims\(\[i\]\)", "1"),
    (r"encode\(sha512\(convert_to\((\w+), 'UTF8'\)\), 'hex'\)", r"sha512_of(\1)"),
    (r"\blength\(convert_to\((\w+), 'UTF8'\)\)", r"strlen(\1)"),
    (r"\bmd5\(convert_to\((\w+), 'UTF8'\)\)", r"md5(\1)"),
    (r"\bnormalize\((\w+), NFC\)", r"nfc_normalize(\1)"),
    (r"\barray_dims\((\w+)\)", r"('[1:' || nullif(len(\1), 0) || ']')"),
    (r"\barray_lower\((\w+), 1\)", r"CASE WHEN len(\1) > 0 THEN 1 END"),
    (r"\barray_fill\((\w+), ARRAY\[2\]\)", r"[\1, \1]"),
    (r"\btrim_array\((\w+), 0\)", r"\1"),
    (r"\bdate_bin\(", "time_bucket("),
    (
        r"\b(corr|regr_slope|regr_intercept)\(([^()]*)\)",
        r"CASE WHEN NOT isnan(\1(\2)) THEN \1(\2) END",
    ),
    (r"num_nonnulls\((\w+), (\w+)\)", r"((\1 IS NOT NULL)::int + (\2 IS NOT NULL)::int)"),
    (r"encode\(convert_to\((\w+), 'UTF8'\), 'hex'\)", r"lower(hex(\1))"),
    (r"\bdecode\((.*?), 'hex'\)", r"unhex(\1)"),
    (r"\bconvert_to\((\w+), 'UTF8'\)", r"encode(\1)"),
    (r"\boctet_length\(", "strlen("),
    (r"\bbtrim\(", "trim("),
    (r"\bregexp_like\(", "regexp_matches("),
    (r"\bquote_nullable\((\w+)\)", r"coalesce(quote_literal(\1), 'NULL')"),
    (r"(\w+) # (\w+)", r"xor(\1, \2)"),
    (r"\bmake_interval\((\w+) => (\w+), (\w+) => (\w+)\)", r"(to_\1(\2) + to_\3(\4))"),
    # Equal in value to what they are given.
    (r"\bjustify_(?:hours|days|interval)\(([^()]*)\)", r"(\1)"),
    (r"\bto_char\((\w+), 'YYYY-MM-DD'\)", r"strftime(\1, '%Y-%m-%d')"),
    (r"to_number\(to_char\((\w+), 'S999.999'\), 'S999.999'\)", r"\1"),
    (r"to_number\((\w+)::text, 'S9+'\)", r"\1"),
    (r"to_date\(to_char\((\w+), '[^']*'\), '[^']*'\)", r"\1"),
    (r"\bto_char\((\w+), 'FMMonth dd'\)", r"strftime(\1, '%B %d')"),
    (
        r"\bto_char\((\w+), 'Dy Mon hh12:mi:ss am'\)",
        r"lower_end(strftime(\1, '%a %b %I:%M:%S %p'))",
    ),
    (
        r"\bto_char\(make_interval\(mins => (\w+)\), 'HH24:MI'\)",
        r"printf('%02d:%02d', \1 // 60, \1 % 60)",
    ),
    (r"\bto_char\((\w+), 'yyyy ddd'\)", r"strftime(\1, '%Y %j')"),
    (r"\bto_char\((\w+), 'FM9+0(?:\.000)?'\)", r"\1::varchar"),
    (r"\bto_char\((\w+), 'FMS9+0'\)", r"printf('%+d', \1)"),
    (r"\bdate_add\((.*?), (interval '[^']*'), ('[^']*')\)", r"timezone(\3, timezone(\3, \1) + \2)"),
    (
        r"\bdate_subtract\((.*?), (interval '[^']*'), ('[^']*')\)",
        r"timezone(\3, timezone(\3, \1) - \2)",
    ),
    (r"\barray_(?:length|upper)\((\w+), 1\)", r"nullif(len(\1), 0)"),
    (r"\bcardinality\(", "len("),
    (r"\barray_remove\((\w+), (\w+)\)", r"list_filter(\1, lambda x: x IS DISTINCT FROM \2)"),
    (
        r"\barray_replace\((\w+), (\w+), (\w+)\)",
        r"list_transform(\1, lambda x: CASE WHEN x = \2 THEN \3 ELSE x END)",
    ),
    (
        r"\barray_positions\((\w+), (\w+)\)",
        r"list_filter(generate_series(1, len(\1)), lambda i: \1[i] = \2)",
    ),
    (r"num_nulls\((\w+), (\w+)\)", r"((\1 IS NULL)::int + (\2 IS NULL)::int)"),
    (r"\bformat\('", "printf('"),
    (r"\bto_char\((\w+), 'FM999,990'\)", r"format('{:,}', \1)"),
    (r"\bregexp_split_to_table\(([^()]*)\)", r"unnest(regexp_split_to_array(\1))"),
    (
        r"(\w+) BETWEEN SYMMETRIC (\w+) AND (\w+)",
        r"(\1 BETWEEN \2 AND \3 OR \1 BETWEEN \3 AND \2)",
    ),
)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    for name, (function, takes, gives) in _REFERENCES.items():
        connection.create_function(name, function, takes, gives)


def spelt(query: str) -> str:
    """The query as DuckDB has to be asked."""
    for ours, theirs in _SPELLINGS:
        query = re.sub(ours, theirs, query)
    return query

"""Functions of bytea over random bytes, and format's widths over random text, held to Python."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest

from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import Row, World

LENGTHS = (0, 1, 3, 55, 56, 64, 111, 112, 119, 120, 128, 200)


@pytest.fixture(scope="module")
def world() -> World:
    pick = random.Random(3)
    made = World()
    made.run("CREATE TABLE b (id int, x bytea, s text)")
    rows = []
    for number, size in enumerate([*LENGTHS, *(pick.randrange(9) for _ in range(40))]):
        raw = bytes(pick.choice([0, 1, 65, 92, 200, 255, pick.randrange(256)]) for _ in range(size))
        text = "".join(pick.choice("aé😀 b'") for _ in range(pick.randrange(8)))
        quoted = text.replace("'", "''")
        rows.append(f"({number}, '\\x{raw.hex()}', '{quoted}')")
    made.run(f"INSERT INTO b VALUES (-1, NULL, NULL), {', '.join(rows)}")
    return made


def rows_of(world: World, what: str) -> list[Row]:
    found = world.select(f"SELECT x, s, {what} FROM b WHERE id >= 0")
    assert len(found) == 52
    assert world.select(f"SELECT {what} FROM b WHERE id < 0")[0][0] is None
    return found


@pytest.mark.parametrize("name", ["md5", "sha224", "sha256", "sha384", "sha512"])
def test_digests_are_those_of_hashlib(world: World, name: str) -> None:
    call = "md5(x)" if name == "md5" else f"encode({name}(x), 'hex')"
    for raw, _, shown in rows_of(world, call):
        assert shown == hashlib.new(name, raw).hexdigest()


def test_parts_of_bytes_are_those_of_python(world: World) -> None:
    calls = "length(x), octet_length(x), bit_length(x), bit_count(x), substring(x, 2, 3)"
    calls += ", x || x, position('\\x00'::bytea in x), btrim(x, '\\x0041'::bytea)"
    calls += ", ltrim(x, '\\xff00'::bytea), rtrim(x, '\\x5c'::bytea)"
    for raw, _, *found in rows_of(world, calls):
        assert found == [
            len(raw), len(raw), 8 * len(raw), sum(byte.bit_count() for byte in raw), raw[1:4],
            raw + raw, raw.find(b"\0") + 1, raw.strip(b"\0A"), raw.lstrip(b"\xff\0"),
            raw.rstrip(b"\\"),
        ]  # fmt: skip


def test_encodings_come_back(world: World) -> None:
    for form in ("hex", "base64", "escape"):
        for raw, _, shown, back, again in rows_of(
            world, f"encode(x, '{form}'), decode(encode(x, '{form}'), '{form}'), "
            f"{'encode(x, ' + repr(form) + ')::bytea' if form == 'escape' else 'x'}"
        ):  # fmt: skip
            assert back == again == raw
            if form == "base64":
                assert base64.b64decode(shown.replace("\n", "")) == raw


def test_bytes_and_bits_are_read_and_set(world: World) -> None:
    calls = "get_byte(x, 0), get_bit(x, 7), set_byte(x, 0, 300), set_bit(x, 7, 1), set_bit(x, 0, 0)"
    query = f"SELECT x, {calls} FROM b WHERE length(x) > 0"
    found = world.select(query)
    assert len(found) > 30
    for raw, first, bit, other, high, low in found:
        assert (first, bit) == (raw[0], raw[0] >> 7)
        assert other == bytes([300 % 256]) + raw[1:]
        assert (high, low) == (bytes([raw[0] | 128]) + raw[1:], bytes([raw[0] & 254]) + raw[1:])


def test_text_is_made_of_what_is_utf8_alone(world: World) -> None:
    for _, text, back in rows_of(world, "convert_from(convert_to(s, 'UTF8'), 'UTF8')"):
        assert back == text
    for raw in ("ff", "c3", "e282", "eda080", "f4908080", "4100"):
        world.run(f"CREATE TABLE w (x bytea); INSERT INTO w VALUES ('\\x41'), ('\\x{raw}')")
        with pytest.raises(ComputeError, match='invalid byte sequence for encoding "UTF8"'):
            world.select("SELECT convert_from(x, 'UTF8') FROM w")
        assert world.select("SELECT convert_from(x, 'UTF8') FROM w WHERE x = 'A'") == [("A",)]
        world.run("DROP TABLE w")


def test_numbers_in_base_2_and_8() -> None:
    world = World()
    numbers = [0, 1, -1, 5, 255, 2**31 - 1, -(2**31), 12345]
    world.run("CREATE TABLE n (i int, l bigint)")
    world.run("INSERT INTO n VALUES " + ", ".join(f"({i}, {i})" for i in numbers))
    for i, *shown in world.select("SELECT i, to_bin(i), to_oct(i), to_bin(l), to_oct(l) FROM n"):
        narrow, wide = i % 2**32, i % 2**64
        assert shown == [f"{narrow:b}", f"{narrow:o}", f"{wide:b}", f"{wide:o}"]


def test_format_fills_with_blanks_to_a_width(world: World) -> None:
    calls = "format('%6s|%-6s|%*s|%-*s', s, s, length(s) - 4, s, 3, s)"
    for _, s, shown in world.select(f"SELECT x, s, {calls} FROM b WHERE id >= 0"):
        width = len(s) - 4
        third = s.rjust(width) if width >= 0 else s.ljust(-width)
        assert shown == f"{s.rjust(6)}|{s.ljust(6)}|{third}|{s.ljust(3)}"

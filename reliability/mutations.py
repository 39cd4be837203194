"""Bytes that were damaged on purpose."""

import struct
import zlib
from collections.abc import Callable
from random import Random

LONGEST = 64  # bytes of a run that is inserted, repeated or taken out
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (b"-", b"9" * 30, b"nan", b"inf", b"1e999", b"\xff", b"\0", b'"', b"[", b"}", b"<", b"&", b" ", b"\n", b"null", b"\x1b")
PNG = b"\x89PNG\r\n\x1a\n"


def mutated(data: bytes, rng: Random) -> bytes:
    """The bytes with one to six damages."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        rng.choice(WAYS)(changed, rng)
    return bytes(changed)


def _flip(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut_end(data: bytearray, rng: Random) -> None:
    del data[_place(data, rng) :]


def _take_out(data: bytearray, rng: Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.randint(1, LONGEST)]


def _insert(data: bytearray, rng: Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice((rng.randbytes(rng.randint(1, LONGEST)), rng.choice(WORDS)))


def _repeat(data: bytearray, rng: Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.randint(1, LONGEST)] * rng.choice((1, 2, 50))


def _swap(data: bytearray, rng: Random) -> None:
    first, second = sorted(_place(data, rng) for _ in range(2))
    length = min(rng.randint(1, 4 * LONGEST), second - first, len(data) - second)
    data[first : first + length], data[second : second + length] = data[second : second + length], data[first : first + length]


def _length(data: bytearray, rng: Random) -> None:
    """What may be a length, near the beginning rather than elsewhere, becomes an extreme one."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.choice((rng.randrange(64), _place(data, rng)))
    value = rng.choice(EXTREMES) % 2 ** (8 * size)
    if at + size <= len(data):
        data[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.5 else "big")


def _tail(data: bytearray, rng: Random) -> None:
    data += rng.randbytes(rng.choice((1, 7, 4096)))


def _place(data: bytearray, rng: Random) -> int:
    return rng.randrange(len(data) + 1)


WAYS: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip, _replace, _cut_end, _take_out, _insert, _repeat, _swap, _length, _tail,
)  # fmt: skip


def with_checksums(data: bytes) -> bytes:
    """A damaged PNG whose chunks have right checksums again, so that what is behind them is reached."""
    if not data.startswith(PNG):
        return data
    changed, at = bytearray(data), len(PNG)
    while at + 12 <= len(changed):
        (length,) = struct.unpack_from(">I", changed, at)
        end = at + 8 + length
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)

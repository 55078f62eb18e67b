"""Which partition a key belongs to: murmur2, as the Java client has it, on every producer of ours."""

import struct
from functools import cache, lru_cache
from typing import Final

SEED: Final = 0x9747B28C
FACTOR: Final = 0x5BD1E995
WORD: Final = 0xFFFFFFFF
USUAL_BYTES: Final = 512


@cache
def _words(length: int) -> struct.Struct:
    return struct.Struct(f"<{length // 4}I")


@lru_cache(maxsize=100_000)
def murmur2(key: bytes) -> int:
    """The hash of Austin Appleby's MurmurHash2 (2008) with Kafka's seed, not negative (31 bits)."""
    length = len(key)
    state = SEED ^ length
    for word in _words(length).unpack_from(key):
        mixed = (word * FACTOR) & WORD
        state = ((state * FACTOR) & WORD) ^ (((mixed ^ (mixed >> 24)) * FACTOR) & WORD)
    rest = key[length & ~3 :]
    if rest:
        state = ((state ^ int.from_bytes(rest, "little")) * FACTOR) & WORD
    state = ((state ^ (state >> 13)) * FACTOR) & WORD
    return (state ^ (state >> 15)) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`."""
    # A long one is nobody's name, and would fill the memory of the short ones.
    hashed = murmur2(key) if len(key) <= USUAL_BYTES else murmur2.__wrapped__(key)
    return hashed % partitions

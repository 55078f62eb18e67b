"""Which partition a key belongs to: murmur2, as the Java client has it, on every producer of ours."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=500_000)
def hashed(key: bytes) -> int:
    """The key's hash, not negative."""
    value: int = murmur2(key)
    return value & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`."""
    return hashed(key) % partitions

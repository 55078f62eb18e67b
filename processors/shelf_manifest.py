"""Whether a manifest of RocksDB ends where it says. Pure.

RocksDB reads for ever when a record in the midst of one says that it is longer than what is left, so that is seen to before.
"""

from typing import Final

BLOCK_BYTES: Final = 32 << 10
HEAD_BYTES: Final = 7


def ends_well(manifest: bytes) -> bool:
    """No record goes on beyond the end, or beyond its block. Its head tells its length: two bytes behind four of checksum."""
    at = 0
    while at < len(manifest):
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < HEAD_BYTES:
            at += left
            continue
        head = manifest[at : at + HEAD_BYTES]
        if not any(head):  # room that was kept for more
            at += left
            continue
        length = HEAD_BYTES + int.from_bytes(head[4:6], "little")
        if length > left or at + length > len(manifest):
            return False
        at += length
    return True

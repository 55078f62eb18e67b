"""Names for persons and identifiers that hold nothing readable: keyed hashes under the installation's secret."""

import hashlib
from functools import lru_cache

DIGEST_BYTES = 10


class Keyring:
    """Names cells and persons. The same secret gives the same names, for ever; without it they cannot be traced back.

    80 bits: among 40 million identifiers the chance that any two collide is below one in a billion.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the installation's secret must have at least 16 bytes")
        self._secret = secret[:64]
        self.cell = lru_cache(maxsize=200_000)(self._cell)

    def _cell(self, namespace: str, value: str) -> str:
        plain = f"{namespace}\0{value}".encode()
        return f"{namespace}:{hashlib.blake2b(plain, digest_size=DIGEST_BYTES, key=self._secret).hexdigest()}"


@lru_cache(maxsize=200_000)
def person_of(cell: str) -> str:
    """The person of a cell that was never linked to another: `p_` and the cell's hash under its namespace."""
    return "p_" + hashlib.blake2b(cell.encode(), digest_size=DIGEST_BYTES).hexdigest()

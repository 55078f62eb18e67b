"""Keys by which sources are known. Pure: secrets are handed in, and only their hashes are kept.

A key is `ts_<name>_<secret>`: the name finds the entry, so one hash is compared for each request, in constant time. The
secret has 256 random bits, so a plain SHA-256 of it cannot be searched.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

PREFIX: Final = "ts_"
NAME_FORM: Final = re.compile(r"[0-9a-f]{12}")
SECRET_FORM: Final = re.compile(r"[0-9a-f]{64}")
SOURCE_FORM: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
ORIGIN_FORM: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of a source, without its secret. Times are milliseconds since epoch, UTC.

    `origins` are the web pages' origins that may use it; without any, no page may. `rate` is in events a second, 0 for no limit.
    `mapping` names how bodies of other systems become touchpoints, "" for touchpoints as they are.
    """

    name: str
    source: str
    sha256: str
    created_at: int
    expires_at: int | None = None
    origins: tuple[str, ...] = ()
    rate: float = 0.0
    mapping: str = ""

    def holds(self, now: int) -> bool:
        """Whether it may be used at `now`."""
        return self.expires_at is None or now < self.expires_at


def text_of(name: str, secret: str) -> str:
    """The key as its owner has it."""
    return f"{PREFIX}{name}_{secret}"


def hashed(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def find(keys: dict[str, Key], presented: str, now: int) -> Key | None:
    """The key that was presented, if it is one of ours and holds at `now`."""
    name, _, secret = presented.removeprefix(PREFIX).partition("_")
    known = keys.get(name)
    # The same work for an unknown name, so that time does not tell which names there are.
    equal = hmac.compare_digest(hashed(secret), known.sha256 if known else hashed(PREFIX))
    return known if known is not None and equal and presented.startswith(PREFIX) and known.holds(now) else None


def rotated(keys: Iterable[Key], source: str, fresh: Key, until: int) -> list[Key]:
    """All keys, where the source's own hold until `until` at the longest, beside a fresh one that is like its newest."""
    kept = [
        msgspec.structs.replace(key, expires_at=min(until, key.expires_at or until)) if key.source == source else key
        for key in keys
    ]
    return [*kept, fresh]


def without(keys: Iterable[Key], names: Sequence[str]) -> list[Key]:
    """All keys but these."""
    return [key for key in keys if key.name not in names]

"""A shelf on RocksDB. Everything in it has a checksum, and what was written outlives a killed process, in the order of writing.

A partition has a few numbered directories. A process takes the first that no other one holds, so two processes never share one:
where a process that should be gone still holds its own, the next one begins with another.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Options, Rdict, WriteBatch

from pipeline import crash
from processors.shelf_manifest import ends_well
from processors.store import ShelfDamaged

logger = logging.getLogger("touchstream.state")
DIRECTORIES: Final = 8
WRITE_BUFFER_BYTES: Final = 8 << 20
CACHE_BYTES: Final = 8 << 20
BLOOM_BITS: Final = 10
MEMTABLE_BLOOM: Final = 0.05
OPEN_FILES: Final = 64
DAMAGED: Final = "DAMAGED"


class ShelfBusy(OSError):
    """Other processes hold every directory of the partition."""


class RocksShelf:
    """One directory, held by this process alone until `close`. Raises OSError, ShelfDamaged."""

    def __init__(self, path: Path, lock: int, stage: str = "") -> None:
        self.path = path
        self._stage = stage
        self._lock = lock
        if (path / DAMAGED).exists():
            self._remove("could not be read")
        try:
            self._db = _open(path)
        except ShelfDamaged:
            self._remove("cannot be opened")
            self._db = _open(path)

    def get(self, key: bytes) -> bytes | None:
        """The saved value. Raises ShelfDamaged."""
        try:
            found: bytes | None = self._db.get(key)
        except Exception as error:  # RocksDB's errors have no class of their own
            raise self._damaged(error) from error
        return found

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Save all of it or nothing, None for what is gone. Raises ShelfDamaged."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        crash.soon(self._stage, "saving")
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._damaged(error) from error

    def clear(self) -> None:
        """Begin with nothing. Raises ShelfDamaged, OSError."""
        try:
            self._close()
        except ShelfDamaged as error:
            logger.info("%s; it is thrown away", error)
        shutil.rmtree(self.path)
        self._db = _open(self.path)

    def close(self) -> None:
        """Let go of the directory; what was written stays. Raises ShelfDamaged when that is not sure."""
        try:
            self._close()
        finally:
            os.close(self._lock)

    def _close(self) -> None:
        try:
            self._db.close()
        except Exception as error:
            raise self._damaged(error) from error

    def _remove(self, why: str) -> None:
        logger.warning("the saved state in %s %s: it is thrown away", self.path, why)
        shutil.rmtree(self.path, ignore_errors=True)

    def _damaged(self, error: Exception) -> ShelfDamaged:
        """Whoever opens it next must not trip over the same place."""
        (self.path / DAMAGED).touch()
        return ShelfDamaged(f"the saved state in {self.path}: {error}")


def open_shelf(partition: Path, stage: str = "") -> RocksShelf:
    """The first directory of a partition that is free; `stage` is whose state it is. Raises ShelfBusy, OSError, ShelfDamaged."""
    partition.mkdir(parents=True, exist_ok=True)
    for number in range(DIRECTORIES):
        lock = os.open(partition / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            return RocksShelf(partition / str(number), lock, stage)
        except BaseException:
            os.close(lock)
            raise
    raise ShelfBusy(f"other processes hold all {DIRECTORIES} directories in {partition}: stop those that are too many")


def _open(path: Path) -> Rdict:
    if not all(ends_well(manifest.read_bytes()) for manifest in path.glob("MANIFEST-*")):
        raise ShelfDamaged(f"the saved state in {path}: its manifest is damaged")
    try:
        return Rdict(str(path), _options())
    except Exception as error:
        raise ShelfDamaged(f"the saved state in {path}: {error}") from error


def _options() -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(Cache(CACHE_BYTES))
    table.set_bloom_filter(BLOOM_BITS, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_max_background_jobs(2)
    options.set_max_open_files(OPEN_FILES)
    options.set_keep_log_file_num(1)
    options.set_paranoid_checks(True)
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    return options

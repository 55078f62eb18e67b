"""A stage with a part of its guarantee taken out, to see what that part costs. For measuring only; there is no such setting.

`python -m tests.bench.variant without-changelog run journey`
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from pipeline.cli.main import main
from processors import transaction


class PlainProducer(AIOKafkaProducer):  # type: ignore[misc]
    """An idempotent producer that takes part in no transaction, and commits no offsets."""

    def __init__(self, **settings: Any) -> None:
        for name in ("transactional_id", "transaction_timeout_ms"):
            settings.pop(name, None)
        super().__init__(enable_idempotence=True, **settings)

    async def begin_transaction(self) -> None:
        """Nothing."""

    async def send_offsets_to_transaction(self, *_: Any) -> None:
        """Nothing."""

    async def commit_transaction(self) -> None:
        """Nothing."""


def without_transactions() -> None:
    """Outputs and changelog are written, acknowledged, and that is all."""
    vars(transaction)["AIOKafkaProducer"] = PlainProducer


def without_changelog() -> None:
    """Outputs and offsets in a transaction; of the changelog only the marker."""
    write = transaction.Transaction.write

    async def bare(self: Any, outs: Iterable[Any], changes: Iterable[Any], offsets: Any) -> int:
        return await write(self, outs, list(changes)[-1:], offsets)

    transaction.Transaction.write = bare  # type: ignore[method-assign]


VARIANTS: Final[dict[str, Callable[[], None]]] = {
    "without-transactions": without_transactions,
    "without-changelog": without_changelog,
}

if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    main()

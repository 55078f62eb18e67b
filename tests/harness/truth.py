"""What was sent, known from the simulation alone."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.events import Touchpoint
from pipeline.simulate.simulation import Kind
from pipeline.topics import source_topic
from tests.harness.sender import records
from tests.harness.sending import ENDLESS


@dataclass(slots=True)
class Truth:
    """Ids of valid events, rejections by topic and reason, bytes of undecodable records, and how many are duplicates.

    `refused` are ids among the valid ones that ClickHouse is made to refuse.
    """

    ids: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    duplicates: int = 0
    sent: int = 0

    @property
    def stored(self) -> set[str]:
        """Ids that have to be in ClickHouse."""
        return self.ids - self.refused

    def refusing(self, is_refused: Callable[[str], bool]) -> "Truth":
        """ClickHouse takes none of these ids."""
        self.refused = set(filter(is_refused, self.ids))
        return self

    def add(self, seed: int, sent: int, events: int = ENDLESS) -> "Truth":
        """Add the first `sent` records of an order for `events`, all of them acknowledged."""
        for record in itertools.islice(records(seed, events), sent):
            content = record.content
            self.sent += 1
            if record.kind is Kind.INVALID:
                topic = source_topic(content.channel) if isinstance(content, Touchpoint) else content.topic
                self.rejected[topic, str(record.reason)] += 1
                if not isinstance(content, Touchpoint):
                    self.broken[topic, content.value or b""] += 1
            elif record.kind is Kind.DUPLICATE:
                self.duplicates += 1
            elif isinstance(content, Touchpoint):
                self.ids.add(content.event_id)
        return self

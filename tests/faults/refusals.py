"""A table that refuses some touchpoints, so that the sink rejects them, and what has to come of it."""

import re
from typing import Final

from pipeline.codec import Decoder
from pipeline.events import Rejection
from pipeline.topics import RESOLVED
from schemas.registry import FileRegistry
from sinks.rejects import STAGE
from tests.faults.findings import Findings
from tests.faults.outputs import Written
from tests.harness.rig import Rig
from tests.harness.truth import Truth

# The simulation numbers its events: one of 512 ends so. Each one takes the sink about ten inserts to find.
ODD: Final = re.compile("[02468ace]00$")
_resolved = Decoder("resolved_touchpoint", FileRegistry())


def refuse(rig: Rig) -> None:
    """From now on ClickHouse takes no touchpoint that `is_refused`."""
    rig.query(f"ALTER TABLE touchpoints ADD CONSTRAINT odd CHECK NOT match(event_id, '{ODD.pattern}')")


def is_refused(event_id: str) -> bool:
    """Whether the constraint of `refuse` holds for it."""
    return ODD.search(event_id) is not None


def id_of(resolved: bytes) -> str:
    """The event id of a resolved touchpoint."""
    found = _resolved.decode(resolved)
    assert not isinstance(found, Rejection), found
    return str(found["event_id"])


def check_refused(rig: Rig, out: Written, truth: Truth, findings: Findings) -> None:
    """Exactly the refused ones are among the rejected, each with its own source and its own bytes."""
    rows = rig.query(
        "SELECT source_topic, source_partition, source_offset, reason, hex(payload) FROM rejected FINAL"
        " WHERE stage = %(stage)s",
        {"stage": STAGE},
    )
    stored = {(topic, p, offset): bytes.fromhex(payload) for topic, p, offset, _, payload in rows}
    ids = [id_of(payload) for payload in stored.values()]
    findings.sets("I3", "touchpoints that ClickHouse refuses", truth.refused, ids)
    findings.add("I3", "each of them rejected once", [] if len(rows) == len(set(ids)) else ids)
    findings.add("I3", "each of them for that reason", [row for row in rows if row[3] != "row_refused"])
    findings.sets("I3", "refused on the topic and in the table, with equal bytes", out.refused.items(), stored.items())
    findings.add("I3", f"refused ones lie on {RESOLVED}", sorted(stored.keys() - out.places))

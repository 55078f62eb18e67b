"""Send touchpoints over HTTP from Python: `with Touchpoints(url, key) as touchpoints: touchpoints.send({...})`."""

from pipeline.client.buffer import Buffer, BufferFull, Dropping, Spilling
from pipeline.client.touchpoints import Counts, IntakeRefused, NotDelivered, Touchpoints

__all__ = [
    "Buffer",
    "BufferFull",
    "Counts",
    "Dropping",
    "IntakeRefused",
    "NotDelivered",
    "Spilling",
    "Touchpoints",
]

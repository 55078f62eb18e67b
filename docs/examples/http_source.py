"""A source that sends over HTTP: `python docs/examples/http_source.py KEY`."""

import sys
import time

from pipeline import config, endpoints
from pipeline.client import Touchpoints


def main(key: str) -> None:
    """Three page views of one visitor; the third is no touchpoint, because its time is no time."""
    url = endpoints.known(config.load()).intake
    view = {"event_type": "page.viewed", "channel": "web", "identifiers": [{"namespace": "cookie", "value": "v-20931"}]}
    now = int(time.time() * 1000)
    with Touchpoints(
        url, key, on_rejected=lambda _, verdict: print(verdict["reason"], verdict["field"])
    ) as touchpoints:
        for occurred_at in (now - 2000, now - 1000, "yesterday"):
            touchpoints.send({**view, "occurred_at": occurred_at})
        touchpoints.flush()
        print(touchpoints.counts)


if __name__ == "__main__":
    main(sys.argv[1])

"""Quix Streams as its documentation has it: a stateful function, RocksDB and a changelog topic."""

import fold
import wire
from quixstreams import Application, State

GUARANTEE = wire.asked("guarantee")


def job(record: dict, state: State) -> dict | None:
    """The reference job for one event; None for a duplicate."""
    if wire.DEDUPLICATE:
        name = "id:" + record["event_id"]
        if state.exists(name):
            return None
        state.set(name, 1)
    held = state.get("person") or fold.empty()
    fold.add(held, record)
    state.set("person", held)
    return held


app = Application(
    broker_address=wire.BOOTSTRAP,
    consumer_group=wire.RUN,
    auto_offset_reset="earliest",
    processing_guarantee=GUARANTEE,
    commit_interval=1.0,
    state_dir=str(wire.FOLDER),
    producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
    loglevel="WARNING",
)
source = app.topic(wire.INPUT, key_deserializer="string", value_deserializer="bytes")
results = app.topic(wire.OUTPUT, key_serializer="string", value_serializer="bytes")
stream = app.dataframe(source).apply(wire.decoded).apply(job, stateful=True).filter(lambda held: held is not None)
stream = stream.apply(lambda held, key, _at, _headers: wire.encoded(fold.answer(key, held)), metadata=True)
stream.to_topic(results)

if __name__ == "__main__":
    app.run()

"""Faust as its documentation has it: an agent, a table, one event at a time. At least once; memory store with changelog."""

import faust
import fold
import wire

app = faust.App(
    wire.RUN,
    broker=f"kafka://{wire.BOOTSTRAP}",
    store="memory://",
    datadir=str(wire.FOLDER),
    topic_partitions=4,
    topic_replication_factor=1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    producer_compression_type="lz4",
    web_enabled=False,
    worker_redirect_stdouts=False,
)
source = app.topic(wire.INPUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
results = app.topic(wire.OUTPUT, key_serializer="raw", value_serializer="raw")
persons = app.Table("persons", default=fold.empty, key_type=str, value_type=dict, partitions=4)
seen = app.Table("seen", default=int, key_type=str, value_type=int, partitions=4) if wire.DEDUPLICATE else None


@app.agent(source)
async def job(stream: faust.Stream) -> None:
    """The reference job."""
    async for key, value in stream.items():
        record = wire.decoded(value)
        if seen is not None:
            if record["event_id"] in seen:
                continue
            seen[record["event_id"]] = 1
        person = key.decode()
        state = persons[person]
        fold.add(state, record)
        persons[person] = state
        await results.send(key=key, value=wire.encoded(fold.answer(person, state)))


if __name__ == "__main__":
    app.main()

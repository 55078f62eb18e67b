"""Bytewax as its documentation has it: a keyed stateful step with a recovery store. At least once."""

from datetime import timedelta

import bytewax.operators as op
import fold
import wire
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main


def job(held: dict | None, record: dict) -> tuple[dict, dict | None]:
    """The reference job for one event; None for a duplicate."""
    state = held or fold.empty()
    if wire.DEDUPLICATE:
        ids = state.setdefault("ids", {})
        if record["event_id"] in ids:
            return state, None
        ids[record["event_id"]] = 1
    fold.add(state, record)
    return state, fold.answer("", state)


flow = Dataflow("reference")
source = kop.input("in", flow, brokers=[wire.BOOTSTRAP], topics=[wire.INPUT], batch_size=1000)
keyed = op.map("decode", source.oks, lambda message: (message.key.decode(), wire.decoded(message.value)))
told = op.stateful_map("person", keyed, job)
new = op.filter("new", told, lambda item: item[1] is not None)
encoded = op.map(
    "encode",
    new,
    lambda item: KafkaSinkMessage(item[0].encode(), wire.encoded({**item[1], "person": item[0]})),
)
kop.output("out", encoded, brokers=[wire.BOOTSTRAP], topic=wire.OUTPUT, add_config={"compression.type": "lz4"})

if __name__ == "__main__":
    store = wire.FOLDER / "recovery"
    store.mkdir(parents=True)
    init_db_dir(store, 1)
    cli_main(
        flow,
        epoch_interval=timedelta(seconds=1),
        recovery_config=RecoveryConfig(str(store), backup_interval=timedelta(seconds=0)),
    )

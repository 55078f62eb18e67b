package bench;

import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;

/** Passes on what has an event id that was not seen before; the ids lie in a store of their own. */
final class Deduplicate implements FixedKeyProcessor<String, GenericRecord, GenericRecord> {
  static final String STORE = "ids";

  private FixedKeyProcessorContext<String, GenericRecord> context;
  private KeyValueStore<String, Long> ids;

  @Override
  public void init(FixedKeyProcessorContext<String, GenericRecord> given) {
    context = given;
    ids = given.getStateStore(STORE);
  }

  @Override
  public void process(FixedKeyRecord<String, GenericRecord> record) {
    if (ids.putIfAbsent(record.value().get("event_id").toString(), record.timestamp()) == null) {
      context.forward(record);
    }
  }
}

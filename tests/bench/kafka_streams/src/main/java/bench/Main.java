package bench;

import java.util.Properties;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams as its documentation has it: an aggregate in RocksDB with changelog and record cache. */
public final class Main {
  private static final int THREADS = 2;
  private static final long CACHE_BYTES = 64L << 20;

  private Main() {}

  private static String asked(String name) {
    return System.getenv("BENCH_" + name);
  }

  /** Runs until the process is ended. */
  public static void main(String[] arguments) {
    Wire wire = new Wire(asked("SCHEMA"), asked("ANSWER_SCHEMA"));
    KafkaStreams streams = new KafkaStreams(topology(wire).build(), properties());
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static StreamsBuilder topology(Wire wire) {
    Serde<GenericRecord> touchpoint = Serdes.serdeFrom((t, record) -> null, (t, bytes) -> wire.touchpoint(bytes));
    Serde<PersonState> person = Serdes.serdeFrom((t, state) -> state.toBytes(), (t, b) -> b == null ? null : PersonState.of(b));
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, GenericRecord> stream =
        builder.stream(asked("INPUT"), Consumed.with(Serdes.String(), touchpoint));
    if (asked("DEDUPLICATE").equals("1")) {
      builder.addStateStore(
          Stores.keyValueStoreBuilder(
                  Stores.persistentKeyValueStore(Deduplicate.STORE), Serdes.String(), Serdes.Long())
              .withCachingEnabled());
      stream = stream.processValues(Deduplicate::new, Deduplicate.STORE);
    }
    stream
        .groupByKey(Grouped.with(Serdes.String(), touchpoint))
        .aggregate(
            PersonState::new,
            (key, record, state) -> Job.add(state, record),
            Materialized.<String, PersonState, KeyValueStore<Bytes, byte[]>>as("persons")
                .withKeySerde(Serdes.String())
                .withValueSerde(person)
                .withCachingEnabled())
        .toStream()
        .mapValues((key, state) -> wire.answer(key, state))
        .to(asked("OUTPUT"), Produced.with(Serdes.String(), Serdes.ByteArray()));
    return builder;
  }

  private static Properties properties() {
    Properties given = new Properties();
    given.put(StreamsConfig.APPLICATION_ID_CONFIG, asked("RUN"));
    given.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, asked("BOOTSTRAP"));
    given.put(StreamsConfig.STATE_DIR_CONFIG, asked("FOLDER"));
    given.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, asked("GUARANTEE"));
    given.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
    given.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
    given.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
    given.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    given.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    given.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
    given.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    given.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    return given;
  }
}

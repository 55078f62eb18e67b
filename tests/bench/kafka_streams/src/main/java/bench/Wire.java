package bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Avro in Confluent's wire format. */
final class Wire {
  private static final int HEAD_BYTES = 5;
  private static final AtomicBoolean BEGUN = new AtomicBoolean();

  private final Schema answer;
  private final Schema scale;
  private final ThreadLocal<GenericDatumReader<GenericRecord>> reader;
  private final ThreadLocal<GenericDatumWriter<GenericRecord>> writer;
  private final ThreadLocal<BinaryDecoder> decoder = new ThreadLocal<>();
  private final ThreadLocal<BinaryEncoder> encoder = new ThreadLocal<>();

  Wire(String touchpointSchema, String answerSchema) {
    Schema read = parsed(touchpointSchema);
    answer = parsed(answerSchema);
    scale = answer.getField("scores").schema().getElementType();
    reader = ThreadLocal.withInitial(() -> new GenericDatumReader<>(read));
    writer = ThreadLocal.withInitial(() -> new GenericDatumWriter<>(answer));
  }

  private static Schema parsed(String path) {
    try {
      return new Schema.Parser().parse(Files.readString(Path.of(path)));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  GenericRecord touchpoint(byte[] value) {
    if (!BEGUN.get() && BEGUN.compareAndSet(false, true)) {
      System.err.println("FIRST " + System.currentTimeMillis());
    }
    try {
      BinaryDecoder held =
          DecoderFactory.get().binaryDecoder(value, HEAD_BYTES, value.length - HEAD_BYTES, decoder.get());
      decoder.set(held);
      return reader.get().read(null, held);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  byte[] answer(String person, PersonState state) {
    GenericRecord record = new GenericData.Record(answer);
    long sessions = state.contacts.size();
    long length = 0;
    for (long[] run : state.contacts.values()) {
      length += run[1] - run[0];
    }
    for (List<long[]> runs : state.gaps.values()) {
      sessions += runs.size();
      for (long[] run : runs) {
        length += run[1] - run[0];
      }
    }
    record.put("person", person);
    record.put("touchpoints", state.touchpoints);
    record.put("first_seen_at", state.first);
    record.put("last_seen_at", state.last);
    record.put("sessions", sessions);
    record.put("session_ms", length);
    record.put("scores", scores(state));
    return encoded(record);
  }

  private List<GenericRecord> scores(PersonState state) {
    List<GenericRecord> found = new ArrayList<>(state.scores.size());
    for (Map.Entry<String, Scores> entry : state.scores.entrySet()) {
      GenericRecord record = new GenericData.Record(scale);
      List<List<Long>> windows = new ArrayList<>(4);
      for (Tally tally : entry.getValue().windows()) {
        windows.add(List.of(tally.n, tally.sum, tally.squares, tally.high, tally.low));
      }
      record.put("scale", entry.getKey());
      record.put("newest", entry.getValue().newest);
      record.put("windows", windows);
      found.add(record);
    }
    return found;
  }

  private byte[] encoded(GenericRecord record) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(256);
    out.writeBytes(new byte[HEAD_BYTES]);
    try {
      BinaryEncoder held = EncoderFactory.get().binaryEncoder(out, encoder.get());
      encoder.set(held);
      writer.get().write(record, held);
      held.flush();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return out.toByteArray();
  }
}

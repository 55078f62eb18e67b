package bench;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** One person's state, and how it becomes bytes for the store and its changelog. */
final class PersonState {
  long touchpoints;
  long first = Long.MAX_VALUE;
  long last = -1;
  final Map<String, List<long[]>> gaps = new HashMap<>();
  final Map<String, long[]> contacts = new HashMap<>();
  final TreeMap<String, Scores> scores = new TreeMap<>();

  byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeLong(touchpoints);
      out.writeLong(first);
      out.writeLong(last);
      out.writeInt(gaps.size());
      for (Map.Entry<String, List<long[]>> entry : gaps.entrySet()) {
        out.writeUTF(entry.getKey());
        out.writeInt(entry.getValue().size());
        for (long[] run : entry.getValue()) {
          write(out, run);
        }
      }
      out.writeInt(contacts.size());
      for (Map.Entry<String, long[]> entry : contacts.entrySet()) {
        out.writeUTF(entry.getKey());
        write(out, entry.getValue());
      }
      out.writeInt(scores.size());
      for (Map.Entry<String, Scores> entry : scores.entrySet()) {
        out.writeUTF(entry.getKey());
        entry.getValue().write(out);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return bytes.toByteArray();
  }

  static PersonState of(byte[] packed) {
    PersonState state = new PersonState();
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(packed))) {
      state.touchpoints = in.readLong();
      state.first = in.readLong();
      state.last = in.readLong();
      for (int left = in.readInt(); left > 0; left--) {
        String channel = in.readUTF();
        int size = in.readInt();
        List<long[]> runs = new ArrayList<>(size + 1);
        for (int n = 0; n < size; n++) {
          runs.add(new long[] {in.readLong(), in.readLong()});
        }
        state.gaps.put(channel, runs);
      }
      for (int left = in.readInt(); left > 0; left--) {
        state.contacts.put(in.readUTF(), new long[] {in.readLong(), in.readLong()});
      }
      for (int left = in.readInt(); left > 0; left--) {
        String scale = in.readUTF();
        state.scores.put(scale, Scores.read(in));
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return state;
  }

  private static void write(DataOutputStream out, long[] run) throws IOException {
    out.writeLong(run[0]);
    out.writeLong(run[1]);
  }
}

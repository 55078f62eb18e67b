package bench;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The answers on one scale: the newest, and tallies by hour and by day as far back as a window reaches. */
final class Scores {
  static final long HOUR = 3_600_000L;
  static final long DAY = 24 * HOUR;

  long newest = -1;
  final Map<Long, Tally> hours = new HashMap<>();
  final Map<Long, Tally> days = new HashMap<>();

  void add(long value, boolean isHigh, boolean isLow, long at) {
    long hour = at / HOUR;
    long day = at / DAY;
    if (at > newest) {
      newest = at;
      hours.keySet().removeIf(held -> held <= hour - 24);
      days.keySet().removeIf(held -> held <= day - 90);
    }
    if (hour > newest / HOUR - 24) {
      hours.computeIfAbsent(hour, unused -> new Tally()).add(value, isHigh, isLow);
    }
    if (day > newest / DAY - 90) {
      days.computeIfAbsent(day, unused -> new Tally()).add(value, isHigh, isLow);
    }
  }

  List<Tally> windows() {
    long hour = newest / HOUR;
    long day = newest / DAY;
    return List.of(since(hours, hour - 24), since(days, day - 7), since(days, day - 30), since(days, day - 90));
  }

  private static Tally since(Map<Long, Tally> buckets, long before) {
    Tally whole = new Tally();
    buckets.forEach(
        (bucket, tally) -> {
          if (bucket > before) {
            whole.add(tally);
          }
        });
    return whole;
  }

  void write(DataOutputStream out) throws IOException {
    out.writeLong(newest);
    write(out, hours);
    write(out, days);
  }

  static Scores read(DataInputStream in) throws IOException {
    Scores scores = new Scores();
    scores.newest = in.readLong();
    read(in, scores.hours);
    read(in, scores.days);
    return scores;
  }

  private static void write(DataOutputStream out, Map<Long, Tally> buckets) throws IOException {
    out.writeInt(buckets.size());
    for (Map.Entry<Long, Tally> entry : buckets.entrySet()) {
      Tally tally = entry.getValue();
      out.writeLong(entry.getKey());
      for (long part : new long[] {tally.n, tally.sum, tally.squares, tally.high, tally.low}) {
        out.writeLong(part);
      }
    }
  }

  private static void read(DataInputStream in, Map<Long, Tally> buckets) throws IOException {
    for (int left = in.readInt(); left > 0; left--) {
      long bucket = in.readLong();
      Tally tally = new Tally();
      tally.n = in.readLong();
      tally.sum = in.readLong();
      tally.squares = in.readLong();
      tally.high = in.readLong();
      tally.low = in.readLong();
      buckets.put(bucket, tally);
    }
  }
}

package bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;

/** The reference job for one event. */
final class Job {
  private static final long MINUTE = 60_000L;
  private static final long HOUR = 60 * MINUTE;
  private static final long DAY = 24 * HOUR;
  private static final Map<String, Long> GAPS =
      Map.ofEntries(
          Map.entry("call", HOUR),
          Map.entry("web", 30 * MINUTE),
          Map.entry("email", DAY),
          Map.entry("app", 5 * MINUTE),
          Map.entry("chat", 30 * MINUTE),
          Map.entry("sms", DAY),
          Map.entry("letter", 7 * DAY),
          Map.entry("social", DAY),
          Map.entry("store", 2 * HOUR),
          Map.entry("device", 30 * MINUTE),
          Map.entry("other", 30 * MINUTE));

  private Job() {}

  static PersonState add(PersonState state, GenericRecord record) {
    long at = (Long) record.get("occurred_at");
    state.touchpoints += 1;
    state.first = Math.min(state.first, at);
    state.last = Math.max(state.last, at);
    session(state, record, at);
    GenericRecord answer = (GenericRecord) record.get("answer");
    if (answer != null && record.get("actor_type").toString().equals("customer")) {
      answer(state, answer, at);
    }
    return state;
  }

  private static void session(PersonState state, GenericRecord record, long at) {
    String channel = record.get("channel").toString();
    Object contact = record.get("source_session");
    if (contact != null && contact.toString().length() > 0) {
      String name = channel + '\0' + record.get("source") + '\0' + contact;
      long[] held = state.contacts.computeIfAbsent(name, unused -> new long[] {at, at});
      held[0] = Math.min(held[0], at);
      held[1] = Math.max(held[1], at);
      return;
    }
    long gap = GAPS.get(channel);
    List<long[]> runs = state.gaps.computeIfAbsent(channel, unused -> new ArrayList<>());
    int first = runs.size();
    while (first > 0 && runs.get(first - 1)[1] >= at - gap) {
      first -= 1;
    }
    long[] joined = {at, at};
    int last = first;
    while (last < runs.size() && runs.get(last)[0] - joined[1] <= gap) {
      joined[0] = Math.min(joined[0], runs.get(last)[0]);
      joined[1] = Math.max(joined[1], runs.get(last)[1]);
      last += 1;
    }
    runs.subList(first, last).clear();
    runs.add(first, joined);
  }

  private static void answer(PersonState state, GenericRecord answer, long at) {
    String metric = answer.get("metric").toString();
    String direction = answer.get("direction").toString();
    int low = (Integer) answer.get("scale_min");
    int high = (Integer) answer.get("scale_max");
    int value = (Integer) answer.get("value");
    int points = direction.equals("high_is_good") ? value : low + high - value;
    int span = high - low;
    int good = high - Math.max(1, span / 4);
    int bad = low + Math.max(1, span / 4);
    if (metric.equals("nps")) {
      good = low + (int) Math.ceil(span * 0.9);
      bad = low + (int) Math.floor(span * 0.6);
    } else if (metric.equals("ces") && span == 6) {
      good = low + 4;
      bad = low + 2;
    } else if (span <= 2) {
      good = high;
      bad = low;
    }
    String scale = metric + '|' + low + '-' + high + '|' + direction;
    state.scores.computeIfAbsent(scale, unused -> new Scores()).add(value, points >= good, points <= bad, at);
  }
}

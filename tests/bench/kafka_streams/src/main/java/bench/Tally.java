package bench;

/** Answers counted exactly: how many, their sum, the sum of their squares, how many at the good and at the bad end. */
final class Tally {
  long n;
  long sum;
  long squares;
  long high;
  long low;

  void add(long value, boolean isHigh, boolean isLow) {
    n += 1;
    sum += value;
    squares += value * value;
    high += isHigh ? 1 : 0;
    low += isLow ? 1 : 0;
  }

  void add(Tally other) {
    n += other.n;
    sum += other.sum;
    squares += other.squares;
    high += other.high;
    low += other.low;
  }
}

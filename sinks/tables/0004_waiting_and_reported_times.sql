-- What the second version of touchpoints has besides: how long the customer waited, and the time by a clock that was wrong.

ALTER TABLE touchpoints ADD COLUMN IF NOT EXISTS waited_ms Nullable(Int64) AFTER source_offset;

ALTER TABLE touchpoints ADD COLUMN IF NOT EXISTS reported_at Nullable(DateTime64(3, 'UTC')) AFTER waited_ms;

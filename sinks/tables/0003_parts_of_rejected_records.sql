-- What could be read of a rejected record: which source sent it, of which type, on which channel.

ALTER TABLE rejected ADD COLUMN IF NOT EXISTS source LowCardinality(String) AFTER payload;

ALTER TABLE rejected ADD COLUMN IF NOT EXISTS event_type LowCardinality(String) AFTER source;

ALTER TABLE rejected ADD COLUMN IF NOT EXISTS channel LowCardinality(String) AFTER event_type;

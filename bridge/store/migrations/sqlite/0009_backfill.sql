-- What tells of things that were there before. Never edited once applied.

ALTER TABLE events ADD COLUMN backfilled INTEGER NOT NULL DEFAULT 0;
-- Subjects that no event ever told of, to be backfilled.
CREATE INDEX snapshots_untold ON snapshots (source, subject) WHERE live = 1 AND event = x'';

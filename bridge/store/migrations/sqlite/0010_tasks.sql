-- What tasks did. Never edited once applied.

-- How far a delivery of several steps has come.
CREATE TABLE progress (
    delivery INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    done TEXT NOT NULL            -- JSON, by its adapter's rules
) STRICT;

-- Of an attempt that ran a task: which, which one of its steps, and what was answered.
ALTER TABLE attempts ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN step TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN message TEXT NOT NULL DEFAULT '';

-- The history of runs. A number is that of the row before and the bytes of the row together, so that what is kept of
-- so many bytes is a range of numbers.
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    target TEXT NOT NULL,
    task TEXT NOT NULL,
    step TEXT NOT NULL,
    who TEXT NOT NULL,
    delivery INTEGER,             -- null: by hand
    params TEXT NOT NULL,         -- JSON, without secrets
    success INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX runs_delivery ON runs (delivery) WHERE delivery IS NOT NULL;

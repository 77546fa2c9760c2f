-- What is known of one subject stands together: an event of a new subject changes one page of one index, where it were
-- three pages of three indexes, spread over their whole width. Never edited once applied.

CREATE TABLE keys (
    place TEXT NOT NULL,          -- source, line feed, subject
    key BLOB NOT NULL,            -- empty: its snapshot; 16 bytes: a dedup key; 'T' and 16 bytes: a twin key
    ref INTEGER NOT NULL,         -- of a snapshot its id, else the event's seq
    PRIMARY KEY (place, key, ref)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots_with_id (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,     -- grows by one per change, also over an end and a new beginning
    live INTEGER NOT NULL,
    polled INTEGER NOT NULL,      -- found by polling
    as_of INTEGER,                -- the state's own time
    updated_at INTEGER NOT NULL,
    event BLOB NOT NULL,          -- id of the event that made this version; empty: none did
    used_at INTEGER NOT NULL,     -- last changed or read
    state BLOB NOT NULL           -- JSON
) STRICT;
INSERT INTO snapshots_with_id (source, subject, version, live, polled, as_of, updated_at, event, used_at, state)
    SELECT source, subject, version, live, polled, as_of, updated_at, event, used_at, state FROM snapshots
    ORDER BY source, subject;
DROP TABLE snapshots;
ALTER TABLE snapshots_with_id RENAME TO snapshots;
CREATE INDEX snapshots_used ON snapshots (source, live, used_at);
CREATE INDEX snapshots_untold ON snapshots (source, subject) WHERE live = 1 AND event = x'';

INSERT INTO keys
    SELECT source || char(10) || subject, x'', id FROM snapshots
    UNION ALL SELECT source || char(10) || subject, dedup, seq FROM events WHERE dedup IS NOT NULL
    UNION ALL SELECT source || char(10) || subject, CAST(x'54' || twin AS BLOB), seq FROM events WHERE twin IS NOT NULL
    ORDER BY 1, 2, 3;
DROP INDEX events_dedup;
DROP INDEX events_twin;

-- Only then the keys of what was erased are looked for.
INSERT OR REPLACE INTO notes (key, value) SELECT 'store.erased', '1' FROM events WHERE state = 2 LIMIT 1;

-- The latest known state of each subject. Never edited once applied.

CREATE TABLE snapshots (
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,     -- grows by one per change, also over an end and a new beginning
    live INTEGER NOT NULL,
    polled INTEGER NOT NULL,      -- found by polling
    as_of INTEGER,                -- the state's own time
    updated_at INTEGER NOT NULL,
    event BLOB NOT NULL,          -- id of the event that made this version; empty: none did
    state BLOB NOT NULL,          -- JSON
    PRIMARY KEY (source, subject)
) STRICT;

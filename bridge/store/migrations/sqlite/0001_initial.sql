-- Times are UTC milliseconds. Ids are the 16 bytes of a UUID. Never edited once applied: add 0002_….sql instead.

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,      -- order of acceptance; given by the writer, never given twice
    id BLOB NOT NULL,
    dedup BLOB,                   -- first half of SHA-256 over source, NUL, dedup key; null: never a duplicate
    twin BLOB,                    -- likewise over the twin key; null: has no twin
    seen INTEGER NOT NULL,        -- bit per intake that brought it
    state INTEGER NOT NULL,       -- 0 mapped, 1 unmapped
    intake INTEGER NOT NULL,
    source TEXT NOT NULL,
    class TEXT NOT NULL,
    channel TEXT NOT NULL,
    event_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_id ON events (id);
CREATE UNIQUE INDEX events_dedup ON events (dedup) WHERE dedup IS NOT NULL;
CREATE INDEX events_twin ON events (twin) WHERE twin IS NOT NULL;
CREATE INDEX events_unmapped ON events (seq) WHERE state = 1;

-- Dedup keys of requests that turned out to be the twin of an event.
CREATE TABLE twins (
    dedup BLOB PRIMARY KEY,
    event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX twins_event ON twins (event);

CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,      -- event's seq * 65536 + number: an event's deliveries are one range, no index needed
    id BLOB NOT NULL,             -- UUIDv7: its time is when the delivery was created
    order_key INTEGER,            -- hash of target and order key; null: free
    state INTEGER NOT NULL,       -- 0 claimable, 1 waiting for its turn, 2 delivered, 3 dead, 4 expired, 5 cancelled
    attempts INTEGER NOT NULL,
    unclear INTEGER NOT NULL,
    replayed INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ended_at INTEGER,
    target TEXT NOT NULL,
    route TEXT NOT NULL,
    reason TEXT NOT NULL,
    reference TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX deliveries_id ON deliveries (id);
CREATE INDEX deliveries_due ON deliveries (target, state, due_at) WHERE state = 0;  -- with state it covers a claim
CREATE INDEX deliveries_order ON deliveries (order_key) WHERE state <= 1 AND order_key IS NOT NULL;
CREATE INDEX deliveries_retrying ON deliveries (target) WHERE state = 0 AND attempts > 0;
CREATE INDEX deliveries_failed ON deliveries (id) WHERE state >= 3;

CREATE TABLE attempts (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    delivery INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    job TEXT NOT NULL,
    state TEXT NOT NULL,
    result TEXT NOT NULL,
    checks INTEGER NOT NULL,
    next_check_at INTEGER         -- null: ended
) STRICT;
CREATE INDEX jobs_next ON jobs (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE notes (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE heard (
    source TEXT NOT NULL,
    intake INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (source, intake)
) STRICT, WITHOUT ROWID;

-- The highest seq ever given, kept when the events that had it are pruned.
CREATE TABLE high_water (
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO high_water VALUES (0);

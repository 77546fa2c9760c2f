-- Snapshots that are served, age, and tell what an event changed. Never edited once applied.

ALTER TABLE snapshots ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;  -- last changed or read
UPDATE snapshots SET used_at = updated_at;
CREATE INDEX snapshots_used ON snapshots (source, live, used_at);

-- The highest version among a source's snapshots that were removed: new ones begin above it, so that none comes again.
CREATE TABLE snapshot_floors (
    source TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an event's subject was before it, and what it changed.
CREATE TABLE differences (
    event INTEGER PRIMARY KEY,
    before BLOB NOT NULL,         -- JSON; empty: too large to be kept
    changed TEXT NOT NULL         -- JSON array of names
) STRICT;

-- Sources whose snapshots the token's holder may read, separated by commas; empty: it may register subscriptions.
ALTER TABLE api_tokens ADD COLUMN reads TEXT NOT NULL DEFAULT '';

-- Credentials, sealed under a master key that is not in here. Never edited once applied.

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,             -- a UUID, never given twice
    adapter TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,             -- global, register:<id>, workspace:<name>
    sealed BLOB NOT NULL,            -- version 1 · nonce 12 · tag 16 · ciphertext; empty: not given yet
    key_id TEXT NOT NULL,            -- tells master keys apart, and is none
    version INTEGER NOT NULL,        -- of what is sealed
    revision INTEGER NOT NULL,       -- of the row
    verdict INTEGER NOT NULL,        -- 0 untested, 1 valid, 2 refused
    checked_at INTEGER NOT NULL,     -- when the verdict was made; 0: never
    message TEXT NOT NULL,           -- what was answered then, without secrets
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,     -- of what is sealed
    UNIQUE (adapter, name, scope)
) STRICT;

-- Leased subscribers, and the tokens that may register them. Never edited once applied.

CREATE TABLE subscriptions (
    registration INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of registration; never given twice
    hook TEXT NOT NULL UNIQUE,
    product TEXT NOT NULL,
    url TEXT NOT NULL,
    channel TEXT NOT NULL,
    event_filter TEXT NOT NULL,
    token TEXT NOT NULL,             -- name of the token it was registered with
    secret TEXT NOT NULL,            -- signs callbacks; may be empty
    secret_before TEXT NOT NULL,     -- of the registration before; signs too until ...
    secret_before_until INTEGER NOT NULL,
    notices INTEGER NOT NULL,
    gone INTEGER NOT NULL,           -- answered 410
    registered_at INTEGER NOT NULL,
    leased_at INTEGER NOT NULL,
    lease_end INTEGER NOT NULL
) STRICT;

CREATE TABLE api_tokens (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL,              -- SHA-256 of the token, hexadecimal
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

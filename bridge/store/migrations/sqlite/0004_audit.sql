-- Who did what through the APIs. Never edited once applied.

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of recording; never given twice
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL                       -- a JSON object
) STRICT;
CREATE INDEX audit_at ON audit (at);

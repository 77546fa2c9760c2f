-- Headers of a request that no mapping knew, for the mapping that will: one a line. Never edited once applied.

CREATE TABLE kept_headers (
    event INTEGER PRIMARY KEY,
    headers TEXT NOT NULL
) STRICT;

-- +goose Up

-- One file sent for import. What quotes the file (name, issues, chunks) goes
-- when it is committed, or after a day; counts and hashes stay.
CREATE TABLE import (
    id        TEXT    PRIMARY KEY,
    state     TEXT    NOT NULL CHECK (state IN ('faulty', 'checked', 'committed', 'undone', 'expired')),
    format    TEXT    NOT NULL CHECK (format IN ('xlsx', 'csv', 'jsonl')),
    name      TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    sha256    TEXT    NOT NULL,
    size      BIGINT NOT NULL,
    by_name   TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    token     TEXT    NOT NULL,
    at        BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    counts    TEXT    NOT NULL,
    issues    TEXT    CHECK (issues IS NULL OR state IN ('faulty', 'checked')),
    notices   TEXT    NOT NULL
);
CREATE INDEX import_at ON import (at);

CREATE TABLE import_chunk (
    import_id TEXT    NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    n         BIGINT NOT NULL,
    data      BYTEA    NOT NULL,
    PRIMARY KEY (import_id, n)
);

-- Which notice a source's number, or a content without one, became: as hashes.
CREATE TABLE import_key (
    key       TEXT    PRIMARY KEY,
    digest    TEXT    NOT NULL,
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    import_id TEXT    NOT NULL REFERENCES import (id),
    rev       BIGINT NOT NULL,
    created   BIGINT NOT NULL CHECK (created IN (0, 1))
);
CREATE INDEX import_key_import ON import_key (import_id);
CREATE INDEX import_key_notice ON import_key (notice_id);

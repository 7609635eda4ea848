-- +goose Up

-- Where an uploaded file holds personal data, as a scan of that version found:
-- kinds and places, never the data.
CREATE TABLE file_scan (
    sha256  TEXT    PRIMARY KEY REFERENCES blob (sha256) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    doc     TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

-- By what a person finds their own row of a housing list: a keyed hash of the
-- batch, the acceptance number and the end of the ID number, never the number.
CREATE TABLE lookup (
    mac           TEXT NOT NULL,
    notice_id     TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    acceptance_no TEXT NOT NULL,
    PRIMARY KEY (mac, notice_id)
) STRICT;
CREATE INDEX lookup_row ON lookup (notice_id, acceptance_no);

-- Keys that were made here because the configuration gives none.
CREATE TABLE secret (
    name  TEXT    PRIMARY KEY,
    value TEXT    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

-- From where an erased notice was purged, and how much of it.
CREATE TABLE purge (
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    place     TEXT    NOT NULL,
    n         INTEGER NOT NULL,
    done      INTEGER NOT NULL CHECK (done IN (0, 1)),
    at        INTEGER NOT NULL,
    PRIMARY KEY (notice_id, place)
) STRICT;

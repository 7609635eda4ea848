-- +goose Up

-- Callers of the hotline who want to be called back. The number is encrypted, and
-- gone from all three columns once its time is over; number_mac finds a second
-- request of the same number while the first is open, turn a repeat of the turn
-- that asked.
CREATE TABLE callback (
    n          INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    number     BLOB,
    number_mac BLOB    UNIQUE,
    turn       BLOB    UNIQUE,
    sector     TEXT    NOT NULL,
    notice     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    done_at    INTEGER NOT NULL,
    done_by    TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    erased_at  INTEGER NOT NULL,
    CHECK ((done_at > 0) = (outcome <> '')),
    CHECK (number_mac IS NULL OR done_at = 0),
    CHECK ((number IS NULL) = (erased_at > 0)),
    CHECK (erased_at = 0 OR turn IS NULL)
) STRICT;
CREATE INDEX callback_open ON callback (n) WHERE done_at = 0;
CREATE INDEX callback_kept ON callback (done_at, created_at) WHERE erased_at = 0;

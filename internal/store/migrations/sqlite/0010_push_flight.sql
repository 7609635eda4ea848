-- +goose Up

-- What a card costs its writer. What is in flight is some thousand rows at most,
-- which one index finds; an index of the leases cost each card two more writes.
-- That a delivery has its event and its person, and a call its delivery, is known
-- without a look for every row: there is one writer, who has just read them.
-- SQLite changes the keys of a table by copying it.
DROP TRIGGER IF EXISTS person_gone;
DROP TRIGGER IF EXISTS delivery_gone;
DROP TABLE IF EXISTS delivery_new;
CREATE TABLE delivery_new (
    n             INTEGER PRIMARY KEY,
    event_n       INTEGER NOT NULL,
    person_n      INTEGER NOT NULL,
    sub_n         INTEGER NOT NULL,
    priority      INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'sending', 'digest', 'accepted', 'delivered', 'failed',
                  'unknown', 'dead', 'cancelled', 'superseded', 'suppressed', 'digested')),
    class         TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    app           TEXT    NOT NULL,
    template      TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    not_before    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    owner         TEXT    NOT NULL,
    lease_until   INTEGER NOT NULL,
    first_call_at INTEGER NOT NULL,
    sent_at       INTEGER NOT NULL,
    msgid         TEXT    NOT NULL,
    maybe_dup     INTEGER NOT NULL CHECK (maybe_dup IN (0, 1)),
    spent         INTEGER NOT NULL CHECK (spent IN (0, 1)),
    parent_n      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    read_at       INTEGER NOT NULL,
    UNIQUE (event_n, person_n)
) STRICT;
INSERT INTO delivery_new SELECT * FROM delivery ORDER BY n;

-- Calls are found by their delivery only: without row numbers of their own they
-- are one tree and not two.
DROP TABLE IF EXISTS attempt_new;
CREATE TABLE attempt_new (
    delivery_n INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    channel    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    class      TEXT    NOT NULL,
    code       INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (delivery_n, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO attempt_new SELECT * FROM attempt ORDER BY delivery_n, attempt;

DROP TABLE attempt;
ALTER TABLE attempt_new RENAME TO attempt;
DROP TABLE delivery;
ALTER TABLE delivery_new RENAME TO delivery;
CREATE INDEX delivery_queue ON delivery (priority, not_before, n) WHERE state = 'queued';
CREATE UNIQUE INDEX delivery_flight ON delivery (person_n) WHERE state IN ('leased', 'sending');
CREATE INDEX delivery_digest ON delivery (not_before, n) WHERE state = 'digest';
CREATE INDEX delivery_person ON delivery (person_n, n);
CREATE INDEX delivery_msgid ON delivery (msgid) WHERE msgid <> '';

-- Deliveries still go with their person, and calls with their deliveries.
-- +goose StatementBegin
CREATE TRIGGER person_gone AFTER DELETE ON person
BEGIN
    DELETE FROM delivery WHERE person_n = OLD.n;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_gone AFTER DELETE ON delivery
BEGIN
    DELETE FROM attempt WHERE delivery_n = OLD.n;
END;
-- +goose StatementEnd

-- +goose Up

-- A number is given once. SQLite gives the highest one again when its row is gone,
-- and numbers outlive their rows: deliveries keep that of the subscription they came
-- for, and the links of cards that of their delivery. Somebody else's subscription,
-- or card, would be taken for the one that is gone. SQLite changes the key of a
-- table by copying it.
DROP TRIGGER IF EXISTS person_gone;
DROP TRIGGER IF EXISTS delivery_gone;
DROP TABLE IF EXISTS subscription_new;
CREATE TABLE subscription_new (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    person_n   INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
    sector     TEXT    NOT NULL,
    doc        TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    mode       TEXT    NOT NULL CHECK (mode IN ('immediate', 'daily')),
    quiet_from INTEGER NOT NULL,
    quiet_to   INTEGER NOT NULL,
    paused     INTEGER NOT NULL CHECK (paused IN (0, 1)),
    source     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO subscription_new SELECT * FROM subscription ORDER BY n;
DROP TABLE subscription;
ALTER TABLE subscription_new RENAME TO subscription;
CREATE INDEX subscription_person ON subscription (person_n, n);

DROP TABLE IF EXISTS delivery_new;
CREATE TABLE delivery_new (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
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
DROP TABLE delivery;
ALTER TABLE delivery_new RENAME TO delivery;
CREATE INDEX delivery_queue ON delivery (priority, not_before, n) WHERE state = 'queued';
CREATE UNIQUE INDEX delivery_flight ON delivery (person_n) WHERE state IN ('leased', 'sending');
CREATE INDEX delivery_digest ON delivery (not_before, n) WHERE state = 'digest';
CREATE INDEX delivery_person ON delivery (person_n, n);
CREATE INDEX delivery_msgid ON delivery (msgid) WHERE msgid <> '';
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

-- The numbers begin behind all that were given and are known of.
DELETE FROM sqlite_sequence WHERE name IN ('subscription', 'delivery');
INSERT INTO sqlite_sequence (name, seq)
SELECT 'subscription', max((SELECT COALESCE(MAX(n), 0) FROM subscription), (SELECT COALESCE(MAX(sub_n), 0) FROM delivery))
 UNION ALL
SELECT 'delivery', (SELECT COALESCE(MAX(n), 0) FROM delivery);

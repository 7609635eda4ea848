-- +goose Up

-- The subscribers: nothing is known of a person but their WeChat accounts.
CREATE TABLE person (
    n            INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    paused       INTEGER NOT NULL CHECK (paused IN (0, 1)),
    urgent_quiet INTEGER NOT NULL CHECK (urgent_quiet IN (0, 1)),
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    app          TEXT    NOT NULL,
    openid       TEXT    NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('official', 'mini')),
    person_n     INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
    unionid      TEXT    NOT NULL,
    following    INTEGER NOT NULL CHECK (following IN (0, 1)),
    muted        INTEGER NOT NULL CHECK (muted IN (0, 1)),
    quarantined  INTEGER NOT NULL CHECK (quarantined IN (0, 1)),
    window_until INTEGER NOT NULL,
    window_left  INTEGER NOT NULL,
    linked_at    INTEGER NOT NULL,
    PRIMARY KEY (app, openid)
) STRICT;
CREATE INDEX account_person ON account (person_n);
CREATE INDEX account_unionid ON account (unionid) WHERE unionid <> '';

CREATE TABLE person_session (
    hash       BLOB    NOT NULL,
    person_n   INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
    app        TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT;
CREATE INDEX person_session_person ON person_session (person_n);
CREATE INDEX person_session_expires ON person_session (expires_at);

-- One-time codes that join two accounts.
CREATE TABLE link_code (
    hash       BLOB    NOT NULL,
    person_n   INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT;
CREATE INDEX link_code_person ON link_code (person_n);

-- sector is the only sector the filter names, or '': matching reads no other
-- rows. doc is the rest of the filter as JSON, '' when the sector decides alone.
CREATE TABLE subscription (
    n          INTEGER PRIMARY KEY,
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
CREATE INDEX subscription_person ON subscription (person_n, n);

-- The ledger of consents: what is left of a template is the sum of its deltas.
CREATE TABLE consent (
    n         INTEGER PRIMARY KEY,
    person_n  INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
    at        INTEGER NOT NULL,
    app       TEXT    NOT NULL,
    template  TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('accept', 'reject', 'revoke', 'spend', 'refund', 'hint', 'follow', 'blocked')),
    delta     INTEGER NOT NULL,
    long_term INTEGER NOT NULL CHECK (long_term IN (0, 1)),
    scene     TEXT    NOT NULL,
    evidence  TEXT    NOT NULL
) STRICT;
CREATE INDEX consent_balance ON consent (person_n, app, template);

-- The outbox: written in the transaction that publishes. open is 0 when none of
-- its deliveries may be sent any more: withdrawn, or a newer revision came.
CREATE TABLE push_event (
    n           INTEGER PRIMARY KEY,
    key         TEXT    NOT NULL UNIQUE,
    notice_id   TEXT    NOT NULL,
    rev         INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('published', 'corrected', 'terminated', 'digest')),
    priority    INTEGER NOT NULL CHECK (priority IN (0, 1, 2)),
    sector      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'matching', 'matched', 'cancelled', 'superseded', 'expired')),
    open        INTEGER NOT NULL CHECK (open IN (0, 1)),
    paused      INTEGER NOT NULL CHECK (paused IN (0, 1)),
    why         TEXT    NOT NULL,
    canary      INTEGER NOT NULL CHECK (canary IN (0, 1)),
    released    INTEGER NOT NULL CHECK (released IN (0, 1)),
    at          INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    phase       INTEGER NOT NULL,
    cursor_n    INTEGER NOT NULL,
    owner       TEXT    NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;
CREATE INDEX push_event_due ON push_event (priority, at) WHERE state IN ('pending', 'matching');
CREATE INDEX push_event_notice ON push_event (notice_id, rev);
CREATE INDEX push_event_canary ON push_event (n) WHERE canary = 1 AND open = 1 AND state IN ('matching', 'matched');

-- One event for one person: the card to send and the row of their inbox. Their
-- one card in flight is a key of the schema.
CREATE TABLE delivery (
    n             INTEGER PRIMARY KEY,
    event_n       INTEGER NOT NULL REFERENCES push_event (n) ON DELETE CASCADE,
    person_n      INTEGER NOT NULL REFERENCES person (n) ON DELETE CASCADE,
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
CREATE INDEX delivery_queue ON delivery (priority, not_before, n) WHERE state = 'queued';
CREATE UNIQUE INDEX delivery_flight ON delivery (person_n) WHERE state IN ('leased', 'sending');
CREATE INDEX delivery_lease ON delivery (lease_until) WHERE state IN ('leased', 'sending');
CREATE INDEX delivery_digest ON delivery (not_before, n) WHERE state = 'digest';
CREATE INDEX delivery_person ON delivery (person_n, n);
CREATE INDEX delivery_msgid ON delivery (msgid) WHERE msgid <> '';

-- Every call to WeChat that was made for a delivery.
CREATE TABLE attempt (
    delivery_n INTEGER NOT NULL REFERENCES delivery (n) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    channel    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    class      TEXT    NOT NULL,
    code       INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (delivery_n, attempt)
) STRICT;

-- Kill switches that are on.
CREATE TABLE push_switch (
    scope   TEXT    NOT NULL,
    why     TEXT    NOT NULL,
    by_name TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    seeded  INTEGER NOT NULL CHECK (seeded IN (0, 1)),
    PRIMARY KEY (scope)
) STRICT;

CREATE TABLE push_quota (
    app          TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    day          TEXT    NOT NULL,
    used         INTEGER NOT NULL CHECK (used >= 0),
    cap          INTEGER NOT NULL,
    parked_until INTEGER NOT NULL,
    PRIMARY KEY (app, path, day)
) STRICT;

-- generation grows with whatever forbids a send: a worker that read it knows
-- what was forbidden then. Its row is also the lock under which rows are claimed.
CREATE TABLE push_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    claims     INTEGER NOT NULL,
    secret     TEXT    NOT NULL,
    digest_day TEXT    NOT NULL
) STRICT;
INSERT INTO push_head (id, generation, claims, secret, digest_day) VALUES (1, 0, 0, '', '');

-- Callbacks that were handled, with what was answered: WeChat sends again what
-- it had no answer to.
CREATE TABLE wechat_seen (
    key   TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    body  TEXT    NOT NULL,
    reply TEXT    NOT NULL,
    PRIMARY KEY (key)
) STRICT;
CREATE INDEX wechat_seen_at ON wechat_seen (at);

-- Receipts that came before the reply they belong to was committed.
CREATE TABLE wechat_receipt (
    app    TEXT    NOT NULL,
    msgid  TEXT    NOT NULL,
    status TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (app, msgid)
) STRICT;

-- The access tokens, one fetch for all processes.
CREATE TABLE wechat_token (
    app        TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    lock_until INTEGER NOT NULL,
    PRIMARY KEY (app)
) STRICT;

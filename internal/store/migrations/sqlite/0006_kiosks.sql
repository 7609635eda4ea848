-- +goose Up

-- The terminals in the halls. A pairing code is on the device's screen until
-- somebody approves it; secrets and tokens are kept as hashes.
CREATE TABLE kiosk (
    id           TEXT    PRIMARY KEY,
    pairing_code TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'approved', 'revoked')),
    name         TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    secret_hash  BLOB    NOT NULL,
    token_hash   BLOB    UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    approved_at  INTEGER NOT NULL,
    approved_by  TEXT    NOT NULL,
    revoked_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    report       TEXT    NOT NULL,
    CHECK ((status = 'pending') = (pairing_code <> ''))
) STRICT;
CREATE UNIQUE INDEX kiosk_pairing ON kiosk (pairing_code) WHERE status = 'pending';

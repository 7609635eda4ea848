-- +goose Up

-- The one row every writing transaction updates last: its lock puts changes
-- and audit lines in commit order. The epoch is random and new after a
-- restore: positions of two epochs do not compare.
CREATE TABLE feed_head (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    seq             INTEGER NOT NULL,
    catalog_version INTEGER NOT NULL,
    audit_seq       INTEGER NOT NULL,
    audit_hash      TEXT    NOT NULL,
    epoch           TEXT    NOT NULL
) STRICT;
INSERT INTO feed_head (id, seq, catalog_version, audit_seq, audit_hash, epoch) VALUES (1, 0, 0, 0, '', '');

-- How many notice codes were given out.
CREATE TABLE code_counter (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL
) STRICT;
INSERT INTO code_counter (id, n) VALUES (1, 0);

CREATE TABLE feed (
    seq       INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL CHECK (kind IN ('published', 'corrected', 'terminated', 'withdrawn', 'catalog')),
    notice_id TEXT    CHECK ((notice_id IS NULL) = (kind = 'catalog')),
    rev       INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT;

CREATE TABLE definition (
    kind    TEXT    NOT NULL CHECK (kind IN ('sectors', 'bodies', 'catalog', 'notice-types')),
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    doc     TEXT    NOT NULL,
    builtin INTEGER NOT NULL CHECK (builtin IN (0, 1)),
    at      INTEGER NOT NULL,
    by_name TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    PRIMARY KEY (kind, id, version)
) STRICT;

CREATE TABLE notice (
    id             TEXT    PRIMARY KEY,
    code           TEXT    NOT NULL UNIQUE,
    rev            INTEGER NOT NULL CHECK (rev > 0),
    content_rev    INTEGER NOT NULL CHECK (content_rev > 0),
    status         TEXT    NOT NULL CHECK (status IN ('draft', 'submitted', 'scheduled', 'published', 'terminated', 'withdrawn')),
    public         INTEGER NOT NULL CHECK (public = (status IN ('published', 'terminated'))),
    type           TEXT    NOT NULL,
    type_version   INTEGER NOT NULL,
    sector         TEXT    NOT NULL,
    body           TEXT    NOT NULL,
    title          TEXT    NOT NULL,
    summary        TEXT    NOT NULL,
    source_name    TEXT    NOT NULL,
    source_url     TEXT    NOT NULL,
    project_code   TEXT    NOT NULL,
    project_key    TEXT    NOT NULL,
    region         TEXT    NOT NULL,
    relations      TEXT    NOT NULL,
    deadline_at    INTEGER NOT NULL,
    amount         INTEGER,
    seq            INTEGER UNIQUE,
    author         TEXT    NOT NULL,
    reviewer       TEXT    CHECK (reviewer <> author),
    secrecy_result TEXT    NOT NULL,
    secrecy_reason TEXT    NOT NULL,
    secrecy_at     INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    publish_at     INTEGER NOT NULL,
    published_at   INTEGER NOT NULL,
    withdrawn_at   INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    erased         INTEGER NOT NULL CHECK (erased IN (0, 1)),
    superseded_by  TEXT    NOT NULL,
    base_rev       INTEGER NOT NULL,
    CHECK (status IN ('draft', 'submitted', 'scheduled') OR reviewer IS NOT NULL AND source_name <> ''),
    CHECK (status IN ('draft', 'submitted', 'scheduled') OR seq IS NOT NULL)
) STRICT;
CREATE INDEX notice_newest ON notice (seq) WHERE public = 1;
CREATE INDEX notice_sector ON notice (sector, seq) WHERE public = 1;
CREATE INDEX notice_type ON notice (type, seq) WHERE public = 1;
CREATE INDEX notice_body ON notice (body, seq) WHERE public = 1;
CREATE INDEX notice_project ON notice (project_key, seq) WHERE public = 1;
CREATE INDEX notice_published ON notice (published_at, seq) WHERE public = 1;
CREATE INDEX notice_deadline ON notice (deadline_at, seq) WHERE public = 1 AND deadline_at > 0;
CREATE INDEX notice_due ON notice (publish_at) WHERE status = 'scheduled';
CREATE INDEX notice_desk ON notice (updated_at, code);

-- Everybody who had a hand in a notice; none of them may be its reviewer.
CREATE TABLE contributor (
    notice_id TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    PRIMARY KEY (notice_id, name)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER notice_second_person BEFORE UPDATE OF reviewer ON notice
WHEN NEW.reviewer IS NOT NULL
 AND EXISTS (SELECT 1 FROM contributor WHERE notice_id = NEW.id AND name = NEW.reviewer)
BEGIN
    SELECT RAISE(ABORT, 'notice_second_person: a contributor may not be the reviewer');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER contributor_not_reviewer_insert BEFORE INSERT ON contributor
WHEN EXISTS (SELECT 1 FROM notice WHERE id = NEW.notice_id AND reviewer = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'notice_second_person: the reviewer may not become a contributor');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER contributor_not_reviewer_update BEFORE UPDATE ON contributor
WHEN EXISTS (SELECT 1 FROM notice WHERE id = NEW.notice_id AND reviewer = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'notice_second_person: the reviewer may not become a contributor');
END;
-- +goose StatementEnd

CREATE TABLE revision (
    notice_id      TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    rev            INTEGER NOT NULL,
    public         INTEGER NOT NULL CHECK (public IN (0, 1)),
    status         TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    cause          TEXT    NOT NULL,
    cause_id       TEXT    NOT NULL,
    content_sha256 TEXT    NOT NULL,
    doc            TEXT,
    PRIMARY KEY (notice_id, rev)
) STRICT;

CREATE TABLE step (
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    n         INTEGER NOT NULL,
    action    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    by_name   TEXT    NOT NULL,
    comment   TEXT    NOT NULL,
    rev       INTEGER NOT NULL,
    PRIMARY KEY (notice_id, n)
) STRICT;

CREATE TABLE relation (
    notice_id TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    type      TEXT NOT NULL,
    other_id  TEXT NOT NULL,
    PRIMARY KEY (notice_id, type, other_id)
) STRICT;
CREATE INDEX relation_other ON relation (other_id);

-- Which public notices fulfil which catalogue item.
CREATE TABLE notice_item (
    item TEXT    NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (item, seq)
) STRICT, WITHOUT ROWID;

-- How many public notices a sector ("s:land") or item ("i:A1-04") has, by the
-- civil day of publication, and in all on the day "": counting rows would cost
-- more with every year.
CREATE TABLE tally (
    day   TEXT    NOT NULL,
    scope TEXT    NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (day, scope)
) STRICT, WITHOUT ROWID;

-- Normalised text of public notices, for the exact check after the index.
CREATE TABLE search_text (
    seq   INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE search_index USING fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
INSERT INTO search_index (search_index, rank) VALUES ('secure-delete', 1);

CREATE TABLE blob (
    sha256 TEXT    PRIMARY KEY,
    size   INTEGER NOT NULL,
    type   TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE TABLE blob_chunk (
    sha256 TEXT    NOT NULL REFERENCES blob (sha256) ON DELETE CASCADE,
    n      INTEGER NOT NULL,
    data   BLOB    NOT NULL,
    PRIMARY KEY (sha256, n)
) STRICT;
CREATE TABLE upload (
    id      TEXT    PRIMARY KEY,
    sha256  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    by_name TEXT    NOT NULL
) STRICT;
CREATE INDEX upload_sha256 ON upload (sha256);
CREATE TABLE notice_file (
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    sha256    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    public    INTEGER NOT NULL CHECK (public IN (0, 1)),
    PRIMARY KEY (notice_id, sha256)
) STRICT;
CREATE INDEX notice_file_sha256 ON notice_file (sha256);

CREATE TABLE api_token (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('editor', 'reviewer', 'admin', 'auditor', 'ivr')),
    bodies     TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT;

-- Which request an Idempotency-Key was used for. The reply is not kept: it is
-- the notice, as it stands.
CREATE TABLE receipt (
    token     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    request   TEXT    NOT NULL,
    notice_id TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT;
CREATE INDEX receipt_at ON receipt (at);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    token   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    rev     INTEGER NOT NULL,
    digest  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    prev    TEXT    NOT NULL,
    hash    TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_id ON audit (id, seq);
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'audit_append_only: audit rows are never replaced'); -- REPLACE fires no other trigger
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit_append_only: audit rows are never deleted');
END;
-- +goose StatementEnd

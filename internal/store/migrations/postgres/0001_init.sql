-- +goose Up

-- The one row every writing transaction updates last: its lock puts changes
-- and audit lines in commit order. The epoch is random and new after a
-- restore: positions of two epochs do not compare.
CREATE TABLE feed_head (
    id              BIGINT PRIMARY KEY CHECK (id = 1),
    seq             BIGINT  NOT NULL,
    catalog_version BIGINT  NOT NULL,
    audit_seq       BIGINT  NOT NULL,
    audit_hash      TEXT    NOT NULL,
    epoch           TEXT    NOT NULL
);
INSERT INTO feed_head (id, seq, catalog_version, audit_seq, audit_hash, epoch) VALUES (1, 0, 0, 0, '', '');

-- How many notice codes were given out.
CREATE TABLE code_counter (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    n  BIGINT  NOT NULL
);
INSERT INTO code_counter (id, n) VALUES (1, 0);

CREATE TABLE feed (
    seq       BIGINT PRIMARY KEY,
    kind      TEXT    NOT NULL CHECK (kind IN ('published', 'corrected', 'terminated', 'withdrawn', 'catalog')),
    notice_id TEXT    CHECK ((notice_id IS NULL) = (kind = 'catalog')),
    rev       BIGINT  NOT NULL,
    at        BIGINT  NOT NULL
);

CREATE TABLE definition (
    kind    TEXT    NOT NULL CHECK (kind IN ('sectors', 'bodies', 'catalog', 'notice-types')),
    id      TEXT    NOT NULL,
    version BIGINT  NOT NULL CHECK (version > 0),
    doc     TEXT    NOT NULL,
    builtin BIGINT  NOT NULL CHECK (builtin IN (0, 1)),
    at      BIGINT  NOT NULL,
    by_name TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    PRIMARY KEY (kind, id, version)
);

CREATE TABLE notice (
    id             TEXT    PRIMARY KEY,
    code           TEXT    NOT NULL UNIQUE,
    rev            BIGINT  NOT NULL CHECK (rev > 0),
    content_rev    BIGINT  NOT NULL CHECK (content_rev > 0),
    status         TEXT    NOT NULL CHECK (status IN ('draft', 'submitted', 'scheduled', 'published', 'terminated', 'withdrawn')),
    public         BIGINT  NOT NULL CHECK ((public = 1) = (status IN ('published', 'terminated'))),
    type           TEXT    NOT NULL,
    type_version   BIGINT  NOT NULL,
    sector         TEXT    NOT NULL,
    body           TEXT    NOT NULL,
    title          TEXT    NOT NULL,
    summary        TEXT    NOT NULL,
    source_name    TEXT    NOT NULL,
    source_url     TEXT    NOT NULL,
    project_code   TEXT    NOT NULL,
    project_key    TEXT    COLLATE "C" NOT NULL,
    region         TEXT    NOT NULL,
    relations      TEXT    NOT NULL,
    deadline_at    BIGINT  NOT NULL,
    amount         BIGINT,
    seq            BIGINT UNIQUE,
    author         TEXT    NOT NULL,
    reviewer       TEXT    CHECK (reviewer <> author),
    secrecy_result TEXT    NOT NULL,
    secrecy_reason TEXT    NOT NULL,
    secrecy_at     BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    publish_at     BIGINT  NOT NULL,
    published_at   BIGINT  NOT NULL,
    withdrawn_at   BIGINT  NOT NULL,
    reason         TEXT    NOT NULL,
    erased         BIGINT  NOT NULL CHECK (erased IN (0, 1)),
    superseded_by  TEXT    NOT NULL,
    base_rev       BIGINT  NOT NULL,
    CHECK (status IN ('draft', 'submitted', 'scheduled') OR reviewer IS NOT NULL AND source_name <> ''),
    CHECK (status IN ('draft', 'submitted', 'scheduled') OR seq IS NOT NULL)
);
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
);

-- +goose StatementBegin
CREATE FUNCTION notice_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM contributor WHERE notice_id = NEW.id AND name = NEW.reviewer) THEN
        RAISE EXCEPTION 'notice_second_person: a contributor may not be the reviewer';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER notice_second_person BEFORE UPDATE OF reviewer ON notice
    FOR EACH ROW WHEN (NEW.reviewer IS NOT NULL) EXECUTE FUNCTION notice_second_person();

-- +goose StatementBegin
CREATE FUNCTION contributor_not_reviewer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM notice WHERE id = NEW.notice_id AND reviewer = NEW.name) THEN
        RAISE EXCEPTION 'notice_second_person: the reviewer may not become a contributor';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER contributor_not_reviewer BEFORE INSERT OR UPDATE ON contributor
    FOR EACH ROW EXECUTE FUNCTION contributor_not_reviewer();

CREATE TABLE revision (
    notice_id      TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    rev            BIGINT  NOT NULL,
    public         BIGINT  NOT NULL CHECK (public IN (0, 1)),
    status         TEXT    NOT NULL,
    at             BIGINT  NOT NULL,
    cause          TEXT    NOT NULL,
    cause_id       TEXT    NOT NULL,
    content_sha256 TEXT    NOT NULL,
    doc            TEXT,
    PRIMARY KEY (notice_id, rev)
);

CREATE TABLE step (
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    n         BIGINT  NOT NULL,
    action    TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    by_name   TEXT    NOT NULL,
    comment   TEXT    NOT NULL,
    rev       BIGINT  NOT NULL,
    PRIMARY KEY (notice_id, n)
);

CREATE TABLE relation (
    notice_id TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    type      TEXT NOT NULL,
    other_id  TEXT NOT NULL,
    PRIMARY KEY (notice_id, type, other_id)
);
CREATE INDEX relation_other ON relation (other_id);

-- Which public notices fulfil which catalogue item.
CREATE TABLE notice_item (
    item TEXT    NOT NULL,
    seq  BIGINT  NOT NULL,
    PRIMARY KEY (item, seq)
);

-- How many public notices a sector ("s:land") or item ("i:A1-04") has, by the
-- civil day of publication, and in all on the day "": counting rows would cost
-- more with every year.
CREATE TABLE tally (
    day   TEXT    COLLATE "C" NOT NULL,
    scope TEXT    COLLATE "C" NOT NULL,
    n     BIGINT  NOT NULL,
    PRIMARY KEY (day, scope)
);

-- Normalised text of public notices, for the exact check after the index.
CREATE TABLE search_text (
    seq   BIGINT PRIMARY KEY,
    title TEXT NOT NULL,
    text  TEXT NOT NULL
);
CREATE TABLE search_index (
    seq    BIGINT PRIMARY KEY,
    tokens TSVECTOR NOT NULL
);
ALTER TABLE search_index ALTER COLUMN tokens SET STATISTICS 1000;
CREATE INDEX search_index_tokens ON search_index USING gin (tokens);

CREATE TABLE blob (
    sha256 TEXT    PRIMARY KEY,
    size   BIGINT  NOT NULL,
    type   TEXT    NOT NULL,
    at     BIGINT  NOT NULL
);
CREATE TABLE blob_chunk (
    sha256 TEXT    NOT NULL REFERENCES blob (sha256) ON DELETE CASCADE,
    n      BIGINT  NOT NULL,
    data   BYTEA   NOT NULL,
    PRIMARY KEY (sha256, n)
);
CREATE TABLE upload (
    id      TEXT    PRIMARY KEY,
    sha256  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    at      BIGINT  NOT NULL,
    by_name TEXT    NOT NULL
);
CREATE INDEX upload_sha256 ON upload (sha256);
CREATE TABLE notice_file (
    notice_id TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    sha256    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    public    BIGINT  NOT NULL CHECK (public IN (0, 1)),
    PRIMARY KEY (notice_id, sha256)
);
CREATE INDEX notice_file_sha256 ON notice_file (sha256);

CREATE TABLE api_token (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('editor', 'reviewer', 'admin', 'auditor', 'ivr')),
    bodies     TEXT    NOT NULL,
    hash       BYTEA   NOT NULL UNIQUE,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    revoked_at BIGINT  NOT NULL
);

-- Which request an Idempotency-Key was used for. The reply is not kept: it is
-- the notice, as it stands.
CREATE TABLE receipt (
    token     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    request   TEXT    NOT NULL,
    notice_id TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    PRIMARY KEY (token, key)
);
CREATE INDEX receipt_at ON receipt (at);

CREATE TABLE audit (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT  NOT NULL,
    actor   TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    token   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    rev     BIGINT  NOT NULL,
    digest  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    prev    TEXT    NOT NULL,
    hash    TEXT    NOT NULL
);
CREATE INDEX audit_id ON audit (id, seq);
-- +goose StatementBegin
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_append_only: audit rows are never changed or deleted';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

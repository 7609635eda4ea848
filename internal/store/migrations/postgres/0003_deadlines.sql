-- +goose Up

-- Rules and years of the calendar are definitions like the others.
ALTER TABLE definition DROP CONSTRAINT definition_kind_check;
ALTER TABLE definition ADD CONSTRAINT definition_kind_check
    CHECK (kind IN ('sectors', 'bodies', 'catalog', 'notice-types', 'rules', 'calendar'));

-- The time limits of public notices, as counted by the calendar of the moment.
CREATE TABLE deadline (
    notice_id   TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    n           BIGINT  NOT NULL CHECK (n BETWEEN 0 AND 63),
    rule        TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    due_at      BIGINT  NOT NULL,
    provisional BIGINT  NOT NULL CHECK (provisional IN (0, 1)),
    from_day    TEXT    NOT NULL,
    PRIMARY KEY (notice_id, n)
);
CREATE INDEX deadline_due ON deadline (due_at);
CREATE INDEX deadline_provisional ON deadline (notice_id) WHERE provisional = 1;

-- Whether public notices were disclosed in time; those that do not say from when
-- the limit ran have no row.
CREATE TABLE timeliness (
    notice_id   TEXT    NOT NULL PRIMARY KEY REFERENCES notice (id) ON DELETE CASCADE,
    rule        TEXT    NOT NULL,
    from_day    TEXT    NOT NULL,
    due_day     TEXT    NOT NULL,
    provisional BIGINT  NOT NULL CHECK (provisional IN (0, 1)),
    late        BIGINT  NOT NULL CHECK (late IN (0, 1))
);
CREATE INDEX timeliness_provisional ON timeliness (notice_id) WHERE provisional = 1;

-- What was published of each catalogue item, by whom and in which year: how
-- many, how many with a time limit, how many of these late.
CREATE TABLE coverage (
    item      TEXT    COLLATE "C" NOT NULL,
    body      TEXT    COLLATE "C" NOT NULL,
    type      TEXT    COLLATE "C" NOT NULL,
    year      BIGINT  NOT NULL,
    published BIGINT  NOT NULL,
    timed     BIGINT  NOT NULL,
    late      BIGINT  NOT NULL,
    first_at  BIGINT  NOT NULL,
    last_at   BIGINT  NOT NULL,
    PRIMARY KEY (item, body, type, year)
);

-- The codes by which a project is asked for: its own, of its tenders, sections
-- and investment, folded.
CREATE TABLE project_alias (
    alias     TEXT COLLATE "C" NOT NULL,
    notice_id TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    PRIMARY KEY (alias, notice_id)
);
CREATE INDEX project_alias_notice ON project_alias (notice_id);

-- How far the tables above hold the notices that were public before they were
-- made, by publishing position, and how far they must.
CREATE TABLE derived (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    upto BIGINT NOT NULL,
    last BIGINT NOT NULL
);
INSERT INTO derived (id, upto, last) SELECT 1, 0, COALESCE(max(seq), 0) FROM notice;

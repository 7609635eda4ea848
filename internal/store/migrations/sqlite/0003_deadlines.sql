-- +goose Up

-- Rules and years of the calendar are definitions like the others; SQLite
-- changes a CHECK only with the table.
CREATE TABLE definition_0003 (
    kind    TEXT    NOT NULL CHECK (kind IN ('sectors', 'bodies', 'catalog', 'notice-types', 'rules', 'calendar')),
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    doc     TEXT    NOT NULL,
    builtin INTEGER NOT NULL CHECK (builtin IN (0, 1)),
    at      INTEGER NOT NULL,
    by_name TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    PRIMARY KEY (kind, id, version)
) STRICT;
INSERT INTO definition_0003 SELECT kind, id, version, doc, builtin, at, by_name, reason FROM definition;
DROP TABLE definition;
ALTER TABLE definition_0003 RENAME TO definition;

-- The time limits of public notices, as counted by the calendar of the moment.
CREATE TABLE deadline (
    notice_id   TEXT    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL CHECK (n BETWEEN 0 AND 63),
    rule        TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,
    provisional INTEGER NOT NULL CHECK (provisional IN (0, 1)),
    from_day    TEXT    NOT NULL,
    PRIMARY KEY (notice_id, n)
) STRICT;
CREATE INDEX deadline_due ON deadline (due_at);
CREATE INDEX deadline_provisional ON deadline (notice_id) WHERE provisional = 1;

-- Whether public notices were disclosed in time; those that do not say from when
-- the limit ran have no row.
CREATE TABLE timeliness (
    notice_id   TEXT    NOT NULL PRIMARY KEY REFERENCES notice (id) ON DELETE CASCADE,
    rule        TEXT    NOT NULL,
    from_day    TEXT    NOT NULL,
    due_day     TEXT    NOT NULL,
    provisional INTEGER NOT NULL CHECK (provisional IN (0, 1)),
    late        INTEGER NOT NULL CHECK (late IN (0, 1))
) STRICT;
CREATE INDEX timeliness_provisional ON timeliness (notice_id) WHERE provisional = 1;

-- What was published of each catalogue item, by whom and in which year: how
-- many, how many with a time limit, how many of these late.
CREATE TABLE coverage (
    item      TEXT    NOT NULL,
    body      TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    year      INTEGER NOT NULL,
    published INTEGER NOT NULL,
    timed     INTEGER NOT NULL,
    late      INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (item, body, type, year)
) STRICT;

-- The codes by which a project is asked for: its own, of its tenders, sections
-- and investment, folded.
CREATE TABLE project_alias (
    alias     TEXT NOT NULL,
    notice_id TEXT NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    PRIMARY KEY (alias, notice_id)
) STRICT;
CREATE INDEX project_alias_notice ON project_alias (notice_id);

-- How far the tables above hold the notices that were public before they were
-- made, by publishing position, and how far they must.
CREATE TABLE derived (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    upto INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;
INSERT INTO derived (id, upto, last) SELECT 1, 0, COALESCE(max(seq), 0) FROM notice;

-- +goose Up

-- Public notices are also tallied by type ("t:land.transfer_notice"), each civil
-- day of publication and in all, and a scope's days are found together.
INSERT INTO tally (day, scope, n)
SELECT date((published_at + 28800000) / 1000, 'unixepoch'), 't:' || type, count(*)
  FROM notice
 WHERE public = 1
 GROUP BY 1, 2;
INSERT INTO tally (day, scope, n)
SELECT '', 't:' || type, count(*)
  FROM notice
 WHERE public = 1
 GROUP BY 2;
CREATE INDEX tally_scope ON tally (scope, day);

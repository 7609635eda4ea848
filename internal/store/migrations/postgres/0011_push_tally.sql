-- +goose Up

-- How the deliveries of an event ended that are no longer kept: they are the
-- record of who was told what, and of no use after a year.
CREATE TABLE push_tally (
    event_n   BIGINT NOT NULL REFERENCES push_event (n) ON DELETE CASCADE,
    state     TEXT   NOT NULL,
    class     TEXT   NOT NULL,
    channel   TEXT   NOT NULL,
    forgotten BIGINT NOT NULL,
    PRIMARY KEY (event_n, state, class, channel)
);

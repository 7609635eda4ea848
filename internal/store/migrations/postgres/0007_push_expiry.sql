-- +goose Up

-- Every look for the next event first drops those that are out of date. Without
-- this it read all that wait, which after an outage or an import are many.
CREATE INDEX push_event_expiry ON push_event (expires_at) WHERE state = 'pending';

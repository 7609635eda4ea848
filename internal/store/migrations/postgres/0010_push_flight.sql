-- +goose Up

-- What a card costs its writer. What is in flight is some thousand rows at most,
-- which one index finds; an index of the leases cost each card two more writes.
-- That a delivery has its event and its person, and a call its delivery, is known
-- without a look for every row, a sixth of a card's time: whoever writes
-- deliveries has locked their event in the same transaction and keeps people from
-- being erased until it ends, and whoever writes calls has locked their delivery.
DROP INDEX IF EXISTS delivery_lease;
ALTER TABLE delivery DROP CONSTRAINT IF EXISTS delivery_event_n_fkey;
ALTER TABLE delivery DROP CONSTRAINT IF EXISTS delivery_person_n_fkey;
ALTER TABLE attempt DROP CONSTRAINT IF EXISTS attempt_delivery_n_fkey;

-- Deliveries still go with their person, and calls with their deliveries. The
-- lock is waited for after the person is gone: a fan-out that holds it has read
-- its people already, and its deliveries are there for the DELETE to find; one
-- that comes later finds the person gone (Store.holdPeople).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION forget_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7075);
    DELETE FROM delivery WHERE person_n IN (SELECT n FROM gone);
    RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TRIGGER IF EXISTS person_gone ON person;
CREATE TRIGGER person_gone AFTER DELETE ON person REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_deliveries();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION forget_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM attempt WHERE delivery_n IN (SELECT n FROM gone);
    RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TRIGGER IF EXISTS delivery_gone ON delivery;
CREATE TRIGGER delivery_gone AFTER DELETE ON delivery REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_attempts();

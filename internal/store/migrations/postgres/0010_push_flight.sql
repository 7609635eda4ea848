-- +goose Up

-- What a card costs its writer. What is in flight is some thousand rows at most,
-- which one index finds; an index of the leases cost each card two more writes.
-- That a delivery has its event and a call its delivery is known without a look
-- for every row, a tenth of a card's time: whoever writes deliveries has locked
-- their event in the same transaction, and whoever writes calls their delivery.
DROP INDEX IF EXISTS delivery_lease;
ALTER TABLE delivery DROP CONSTRAINT IF EXISTS delivery_event_n_fkey;
ALTER TABLE attempt DROP CONSTRAINT IF EXISTS attempt_delivery_n_fkey;

-- Calls still go with their deliveries, as these go with their person.
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

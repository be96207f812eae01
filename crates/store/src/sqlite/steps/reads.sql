ALTER TABLE operations ADD COLUMN is_read INTEGER NOT NULL DEFAULT 0;
UPDATE operations SET is_read = 1
    WHERE kind IN ('get', 'instances', 'protocol', 'schema');
DROP INDEX operations_ended;
CREATE INDEX operations_ended ON operations (is_read, ended, number, bytes)
    WHERE ended IS NOT NULL;
CREATE INDEX operations_ended_of_device ON operations (device, is_read, number)
    WHERE ended IS NOT NULL AND idempotency_key IS NULL;

-- +goose Up

-- What an order's personal data came to, with the keyed hashes of the buyer: a backtest reads it and unseals nothing.
-- '' on events that brought none, and on those recorded before this column was there.
ALTER TABLE event ADD COLUMN gist TEXT NOT NULL DEFAULT '';

-- How orders really ended: what rules are scored by.
CREATE INDEX event_disputed ON event (seq) WHERE type = 'payment.disputed';

-- +goose Down
DROP INDEX event_disputed;
ALTER TABLE event DROP COLUMN gist;

-- +goose Up

-- The products that any location keeps: a shop whose history was imported has thousands that none does.
CREATE INDEX stock_balance_held ON stock_balance (sku) WHERE location <> 'opening';

-- +goose Down
DROP INDEX stock_balance_held;

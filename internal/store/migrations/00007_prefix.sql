-- +goose Up

-- Names and order numbers are looked up by their beginning. That is a range in the order of bytes,
-- which is SQLite's order; a PostgreSQL database may have any other, so the columns get theirs.
/*postgres: ALTER TABLE customer_search ALTER COLUMN term TYPE TEXT COLLATE "C"; */
/*postgres: ALTER TABLE orders ALTER COLUMN number TYPE TEXT COLLATE "C"; */

-- +goose Down
/*postgres: ALTER TABLE orders ALTER COLUMN number TYPE TEXT; */
/*postgres: ALTER TABLE customer_search ALTER COLUMN term TYPE TEXT; */

-- +goose Up

-- Changes of automations that a second person must confirm. The row goes with the decision; the audit log keeps who decided.
CREATE TABLE proposal (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,                -- of the automation
    doc     TEXT NOT NULL,                -- the change, as the engine reads it
    author  TEXT NOT NULL,                -- mail address: who may not confirm it
    reason  TEXT NOT NULL,
    created BIGINT NOT NULL
);

-- +goose Down
DROP TABLE proposal;

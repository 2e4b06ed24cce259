-- +goose Up

-- Firings of automations whose steps may wait. doc has every step with its input, output and times.
CREATE TABLE run (
    id         TEXT PRIMARY KEY,          -- derived from the automation and the event
    automation TEXT NOT NULL,
    version    TEXT NOT NULL,             -- the policy text it began with, and ends with
    order_id   TEXT NOT NULL,             -- '' when it is about no order
    subject    TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'cancelled', 'failed')),
    wait_key   TEXT NOT NULL,             -- what an event that lets it go on has in common with it
    until      BIGINT NOT NULL,           -- 0 = however long it takes
    held       INTEGER NOT NULL,          -- what it waited for came, but its automation does not act
    started    BIGINT NOT NULL,
    updated    BIGINT NOT NULL,
    ended      BIGINT NOT NULL CHECK (ended >= 0), -- a write to an ended run makes it negative
    doc        TEXT NOT NULL,
    CHECK ((state = 'waiting') = (ended = 0)),
    CHECK (state = 'waiting' OR (wait_key = '' AND until = 0 AND held = 0))
);
CREATE INDEX run_order ON run (order_id, started) WHERE order_id <> '';
CREATE INDEX run_order_waiting ON run (order_id) WHERE state = 'waiting' AND order_id <> '';
CREATE INDEX run_key_waiting ON run (wait_key) WHERE state = 'waiting' AND wait_key <> '';
CREATE INDEX run_held ON run (updated, id) WHERE held = 1 AND state = 'waiting';
CREATE INDEX run_automation ON run (automation, started);
CREATE INDEX run_started ON run (started, id);

-- +goose Down
DROP TABLE run;

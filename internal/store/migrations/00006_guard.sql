-- +goose Up

-- What decisions know of an automation's doings: whether it is stopped, how far
-- it has gone within its limits, how its trial as a canary goes. One row for each
-- that has limits, is a canary or was stopped once.
CREATE TABLE automation_guard (
    name    TEXT PRIMARY KEY,
    stopped BIGINT NOT NULL,              -- since when; 0 = it may act
    doc     TEXT NOT NULL
);

-- Firings that did not act (shadow, left out by a canary, stopped), and those
-- that did under limits or as a canary, with the window they were counted in.
CREATE TABLE automation_firing (
    name     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    order_id TEXT NOT NULL DEFAULT '',
    how      TEXT NOT NULL CHECK (how IN ('acted', 'shadow', 'canary', 'stopped')),
    round    BIGINT NOT NULL,             -- +1 whenever a person lets it go on: counts begin anew
    hour     BIGINT NOT NULL,             -- hours since 1970; 0 = not counted
    day      TEXT NOT NULL,               -- in the shop's zone
    minor    BIGINT NOT NULL,             -- what counted against the money limit
    per_hour BIGINT NOT NULL,             -- the limits it was held to; 0 = none
    per_day  BIGINT NOT NULL,
    PRIMARY KEY (name, at, event_id)
) /*sqlite: WITHOUT ROWID */;

-- +goose Down
DROP TABLE automation_firing;
DROP TABLE automation_guard;

-- +goose Up

-- What came in from each system and left to each destination, by UTC day: the volumes of the system map.
-- Counted from the recorded events a little behind life, so that no commit waits for a counter.
CREATE TABLE flow_day (
    day    BIGINT NOT NULL,               -- since 1970-01-01
    way    TEXT NOT NULL CHECK (way IN ('in', 'out')),
    system TEXT NOT NULL,                 -- source of the events, or destination of the effects
    what   TEXT NOT NULL,                 -- event type, or purpose
    via    TEXT NOT NULL,                 -- token that brought it, or automation that asked for it; '' = neither
    n      BIGINT NOT NULL,
    orders BIGINT NOT NULL,               -- of them about an order
    minor  BIGINT NOT NULL,               -- totals of those orders in the shop's currency, minor units
    last   BIGINT NOT NULL,
    PRIMARY KEY (day, way, system, what, via)
) /*sqlite: WITHOUT ROWID */;

-- One row: up to which event it is counted. Its lock keeps two nodes from counting the same.
CREATE TABLE flow_mark (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO flow_mark (one, seq) VALUES (1, 0);

-- Effects of events without an order have no other index by what caused them.
CREATE INDEX effect_alone ON effect (event_id) WHERE order_id = '';

-- The structure of the system map whenever it changed.
CREATE TABLE map_snapshot (
    at     BIGINT PRIMARY KEY,
    policy BIGINT NOT NULL,
    hash   TEXT NOT NULL,
    doc    TEXT NOT NULL
);

-- An attempt of it may have arrived although no answer said so: the answer never came, or its node died meanwhile.
ALTER TABLE effect ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;

-- Who let a dead letter leave again, when, and whether they took the risk that it arrives twice.
CREATE TABLE effect_replay (
    effect_id TEXT NOT NULL,
    at        BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    risk      TEXT NOT NULL,              -- what they were told and confirmed; '' = there was none
    error     TEXT NOT NULL,              -- what had failed
    PRIMARY KEY (effect_id, at)
) /*sqlite: WITHOUT ROWID */;

-- +goose Down
DROP TABLE effect_replay;
ALTER TABLE effect DROP COLUMN unsure;
DROP TABLE map_snapshot;
DROP INDEX effect_alone;
DROP TABLE flow_mark;
DROP TABLE flow_day;

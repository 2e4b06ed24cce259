-- +goose Up

-- What people said about suggestions, by pattern. A refused one is not made again unless its evidence changes much.
CREATE TABLE suggestion (
    key        TEXT PRIMARY KEY,          -- derived from the pattern whatever its thresholds
    verdict    TEXT NOT NULL CHECK (verdict IN ('accepted', 'refused')),
    sentence   TEXT NOT NULL,             -- as it was shown
    cond       TEXT NOT NULL,             -- its condition then
    cases      BIGINT NOT NULL,           -- its evidence then
    agreed     BIGINT NOT NULL,
    automation TEXT NOT NULL DEFAULT '',  -- the draft it became
    author     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    reason     TEXT NOT NULL
);

-- Reviews that a person decided: what suggestions are made from.
CREATE INDEX task_reviewed ON task (done_at, id) WHERE kind = 'review' AND state = 'decided';

-- +goose Down
DROP INDEX task_reviewed;
DROP TABLE suggestion;

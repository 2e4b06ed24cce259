-- +goose Up

-- What is known of how often something happens: the intensity by hour of the week, the gaps, the last weeks.
CREATE TABLE watch_series (
    name TEXT PRIMARY KEY,                -- kind:name, like event:order.placed
    doc  TEXT NOT NULL
);

-- One row: whose turn it was to look after all expectations, and what came of it.
CREATE TABLE watch_run (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    at   BIGINT NOT NULL,                 -- begin of the last turn, by the database's clock
    node TEXT NOT NULL,
    doc  TEXT NOT NULL
);
INSERT INTO watch_run (one, at, node, doc) VALUES (1, 0, '', '{}');

-- Attempts to deliver, as each node counted them: written now and then, kept for days.
CREATE TABLE delivery_tally (
    at          BIGINT NOT NULL,
    node        TEXT NOT NULL,
    destination TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    done        BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    last_error  TEXT NOT NULL,
    PRIMARY KEY (at, node, destination, purpose)
) /*sqlite: WITHOUT ROWID */;

-- +goose Down
DROP TABLE delivery_tally;
DROP TABLE watch_run;
DROP TABLE watch_series;

-- +goose Up

-- In which trace an event was decided, where requests are traced: what it causes later belongs to it. Written only then.
CREATE TABLE event_trace (
    event_id TEXT PRIMARY KEY,
    parent   TEXT NOT NULL,               -- a W3C traceparent
    created  BIGINT NOT NULL
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX event_trace_created ON event_trace (created);

-- +goose Down
DROP TABLE event_trace;

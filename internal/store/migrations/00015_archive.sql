-- +goose Up

-- Files that hold old events whole. Once a file is complete and verified, facts and trace leave the rows it holds: more
-- than half of what an event takes up. What happened (data, sealed) stays, and so does the change of state in the trace.
CREATE TABLE event_archive (
    name      TEXT PRIMARY KEY,           -- of the file, without its ending: the month
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    events    BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    sha256    TEXT NOT NULL,
    created   BIGINT NOT NULL,
    slim      INTEGER NOT NULL            -- 1 once every row it holds has given its facts and trace away
);

-- The file that has an event's facts and trace; '' = they are here.
ALTER TABLE event ADD COLUMN archive TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE event DROP COLUMN archive;
DROP TABLE event_archive;

-- +goose Up

-- Every change of a location, with who made it. What stood there before changes were
-- kept has no author and no time.
CREATE TABLE location_change (
    location TEXT NOT NULL,
    rev      BIGINT NOT NULL,             -- policy_current.locations after the change
    at       BIGINT NOT NULL,
    author   TEXT NOT NULL,               -- mail address of a user, or the way it came: terminal
    doc      TEXT NOT NULL,               -- the location from then on
    PRIMARY KEY (location, rev)
) /*sqlite: WITHOUT ROWID */;

INSERT INTO location_change (location, rev, at, author, doc) SELECT id, 0, 0, '', doc FROM location;

-- +goose Down
DROP TABLE location_change;

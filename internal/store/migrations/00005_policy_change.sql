-- +goose Up

-- What each revision changed, one row a text: the versions of an automation are found
-- without reading the members of every revision.
CREATE TABLE policy_change (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    rev  BIGINT NOT NULL,
    hash TEXT NOT NULL,                   -- '' when the revision removed it
    PRIMARY KEY (kind, name, rev)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX policy_change_rev ON policy_change (rev);

-- +goose Down
DROP TABLE policy_change;

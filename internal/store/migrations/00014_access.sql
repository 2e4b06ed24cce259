-- +goose Up

-- Who may enter, and what they did.

ALTER TABLE api_token ADD COLUMN expires BIGINT NOT NULL DEFAULT 0; -- 0 = never

-- One-time links that let a person make their account.
CREATE TABLE invite (
    hash       TEXT PRIMARY KEY,          -- SHA-256 of the link's token
    email      TEXT NOT NULL UNIQUE,      -- lower case
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    created    BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires    BIGINT NOT NULL
);

-- Accounts elsewhere that sign a user in: the subject of an OpenID Connect issuer.
CREATE TABLE identity (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
) /*sqlite: WITHOUT ROWID */;

-- Who did what to what, when, from where, with which result. Rows are added, never changed.
CREATE TABLE audit (
    id      TEXT PRIMARY KEY,             -- UUIDv7
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,                -- usr_…, token:NAME, cli:NAME, orderly; '' for a stranger
    who     TEXT NOT NULL,                -- the actor as people knew them then
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    origin  TEXT NOT NULL,                -- address, or "command line"
    result  TEXT NOT NULL CHECK (result IN ('ok', 'refused', 'failed')),
    detail  TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at, id);

-- Records that wait to be sealed.
CREATE TABLE audit_open (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);

-- The hash chain over the records, in the order in which they were sealed.
CREATE TABLE audit_chain (
    seq  BIGINT PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL                    -- SHA-256 over the hash before, seq and the record
);

-- +goose StatementBegin
/*sqlite: CREATE TRIGGER audit_kept BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END */
/*postgres: CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$ */
-- +goose StatementEnd
-- +goose StatementBegin
/*sqlite: CREATE TRIGGER audit_kept_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END */
/*postgres: CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_keep() */
-- +goose StatementEnd
-- +goose StatementBegin
/*sqlite: CREATE TRIGGER audit_chain_kept BEFORE UPDATE ON audit_chain BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END */
/*postgres: CREATE TRIGGER audit_chain_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION audit_keep() */
-- +goose StatementEnd
-- +goose StatementBegin
/*sqlite: CREATE TRIGGER audit_chain_kept_whole BEFORE DELETE ON audit_chain BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END */
/*postgres: COMMENT ON TABLE audit_chain IS 'append-only' */
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_chain;
DROP TABLE audit_open;
DROP TABLE audit;
/*postgres: DROP FUNCTION audit_keep(); */
DROP TABLE identity;
DROP TABLE invite;
DELETE FROM setting WHERE name = 'audit.head';
ALTER TABLE api_token DROP COLUMN expires;

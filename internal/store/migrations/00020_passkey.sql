-- +goose Up

-- Keys on people's devices that sign them in.
CREATE TABLE passkey (
    id         TEXT PRIMARY KEY,          -- the credential's id, base64url
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    key        TEXT NOT NULL,             -- JSON: the public key and its flags
    sign_count BIGINT NOT NULL,           -- as the device counts; it never goes back
    challenge  TEXT NOT NULL,             -- the last one that was answered: none is answered twice
    created    BIGINT NOT NULL,
    last_used  BIGINT NOT NULL            -- 0 = never
);
CREATE INDEX passkey_user ON passkey (user_id);

-- +goose Down
DROP TABLE passkey;

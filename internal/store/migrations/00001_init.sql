-- +goose Up

-- One text for both engines. What stands in a comment that begins with the name of
-- an engine is for that engine: migrate.go takes the comment marks away. On SQLite a
-- BIGINT PRIMARY KEY is made the row number itself.

-- decided_seq: drawn after all locks are held, so the order of decisions is the order of commits that met.
/*postgres: CREATE SEQUENCE decided_seq; */

-- Deduplication: the natural identity of everything that ever came in.
-- Its own table from the first day, so that events can be partitioned later.
CREATE TABLE event_key (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    PRIMARY KEY (source, id)
) /*sqlite: WITHOUT ROWID */;

-- Same key, other payload: refused with 409, recorded here, never applied.
CREATE TABLE event_conflict (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (source, id, payload_hash)
);

-- Every event with the decision it led to. seq is decided_seq: the order of decisions.
CREATE TABLE event (
    seq      BIGINT PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    source   TEXT NOT NULL,
    key      TEXT NOT NULL,
    type     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    order_id TEXT NOT NULL,              -- '' when the event concerns no order
    at       BIGINT NOT NULL,            -- microseconds UTC, as every time here
    received BIGINT NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('live', 'history')),
    state    TEXT NOT NULL CHECK (state IN ('decided', 'quarantined', 'waiting')),
    reason   TEXT NOT NULL DEFAULT '',   -- why quarantined
    actor    TEXT NOT NULL DEFAULT '',
    cause    TEXT NOT NULL DEFAULT '',
    depth    INTEGER NOT NULL DEFAULT 0,
    policy   BIGINT NOT NULL DEFAULT 0,  -- policy revision it was decided under
    hash     TEXT NOT NULL,
    data     TEXT NOT NULL,              -- payload JSON without personal data
    sealed   TEXT NOT NULL DEFAULT '',   -- personal data under the customer's key
    customer_id TEXT NOT NULL DEFAULT '',-- whose key
    facts    TEXT NOT NULL DEFAULT '',   -- the facts the decision read
    trace    TEXT NOT NULL DEFAULT ''    -- what was considered and done
);
CREATE INDEX event_order ON event (order_id, seq) WHERE order_id <> '';
CREATE INDEX event_subject ON event (subject, seq) WHERE order_id = '';
CREATE INDEX event_undecided ON event (state, seq) WHERE state <> 'decided';

CREATE TABLE orders (
    id          TEXT PRIMARY KEY,
    channel     TEXT NOT NULL,
    number      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('expected', 'held', 'awaiting_payment', 'unfillable', 'backordered',
                    'ready', 'partially_shipped', 'shipped', 'completed', 'cancelled')),
    payment     TEXT NOT NULL,
    customer_id TEXT NOT NULL DEFAULT '',
    currency    TEXT NOT NULL DEFAULT '',
    total       BIGINT NOT NULL DEFAULT 0 CHECK (total >= 0),
    captured    BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refunded    BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    units       BIGINT NOT NULL DEFAULT 0,
    country     TEXT NOT NULL DEFAULT '',
    mode        TEXT NOT NULL CHECK (mode IN ('live', 'history')),
    placed_at   BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    rev         BIGINT NOT NULL,          -- +1 with every write
    sealed      TEXT NOT NULL DEFAULT '',
    doc         TEXT NOT NULL,
    CHECK (refunded <= captured)
);
CREATE INDEX orders_placed ON orders (placed_at, id);
CREATE INDEX orders_state ON orders (state, placed_at, id);
CREATE INDEX orders_number ON orders (number);
CREATE INDEX orders_customer ON orders (customer_id, placed_at);

CREATE TABLE customer (
    id      TEXT PRIMARY KEY,
    key     TEXT NOT NULL,               -- the customer's data key, wrapped; '' after erasure
    orders  BIGINT NOT NULL,
    doc     TEXT NOT NULL
);

-- Names and mail addresses for search; emptied by erasure, in no log.
CREATE TABLE customer_search (
    term        TEXT NOT NULL,           -- lower case: each word of a name; keyed hash of the mail address
    customer_id TEXT NOT NULL,
    PRIMARY KEY (term, customer_id)
) /*sqlite: WITHOUT ROWID */;

-- One row per counted event and dimension.
CREATE TABLE velocity (
    key TEXT NOT NULL,                   -- dimension + keyed hash of the value
    at  BIGINT NOT NULL,
    ref TEXT NOT NULL,                   -- order id: counted once, whatever comes twice
    PRIMARY KEY (key, at, ref)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE product (
    sku       TEXT PRIMARY KEY,
    title     TEXT NOT NULL,
    low_at    BIGINT NOT NULL DEFAULT 0,
    is_low    INTEGER NOT NULL DEFAULT 0, -- below the line since the last stock.low
    doc       TEXT NOT NULL
);

CREATE INDEX product_low ON product (sku) WHERE is_low = 1;

CREATE TABLE location (
    id  TEXT PRIMARY KEY,
    doc TEXT NOT NULL
);

-- Parcels a location was given for one local day: the capacity left today.
CREATE TABLE location_day (
    location TEXT NOT NULL,
    day      TEXT NOT NULL,
    parcels  BIGINT NOT NULL CHECK (parcels >= 0),
    PRIMARY KEY (location, day)
) /*sqlite: WITHOUT ROWID */;

-- The ledger. One row is a move of qty from one account to another, so every entry balances by its shape.
CREATE TABLE stock_move (
    seq         BIGINT NOT NULL,          -- of the event
    ord         INTEGER NOT NULL,
    at          BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    sku         TEXT NOT NULL,
    qty         BIGINT NOT NULL CHECK (qty > 0),
    from_loc    TEXT NOT NULL,
    from_bucket TEXT NOT NULL,
    to_loc      TEXT NOT NULL,
    to_bucket   TEXT NOT NULL,
    order_id    TEXT NOT NULL DEFAULT '',
    note        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (seq, ord),
    CHECK (from_loc <> to_loc OR from_bucket <> to_bucket)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX stock_move_sku ON stock_move (sku, seq, ord);

-- The projection of the ledger.
CREATE TABLE stock_balance (
    sku      TEXT NOT NULL,
    location TEXT NOT NULL,
    on_hand  BIGINT NOT NULL,
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    PRIMARY KEY (sku, location),
    -- History is kept at the opening location, which may go negative; sellable stock never oversells.
    CHECK (location = 'opening' OR on_hand >= reserved)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX stock_balance_location ON stock_balance (location, sku);

-- Orders that wait for units of a SKU (backordered or unfillable), oldest first.
CREATE TABLE stock_wait (
    sku      TEXT NOT NULL,
    since    BIGINT NOT NULL,
    order_id TEXT NOT NULL,
    PRIMARY KEY (sku, since, order_id)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX stock_wait_order ON stock_wait (order_id);

CREATE TABLE task (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    queue    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    order_id TEXT NOT NULL DEFAULT '',
    state    TEXT NOT NULL CHECK (state IN ('open', 'asked', 'decided', 'closed')),
    assignee TEXT NOT NULL DEFAULT '',
    created  BIGINT NOT NULL,
    due      BIGINT NOT NULL DEFAULT 0,
    done_at  BIGINT NOT NULL DEFAULT 0,
    doc      TEXT NOT NULL
);
CREATE INDEX task_open ON task (queue, due, id) WHERE state IN ('open', 'asked');
CREATE INDEX task_incident ON task (created, id) WHERE kind = 'incident' AND state IN ('open', 'asked');
CREATE INDEX task_order ON task (order_id) WHERE order_id <> '';
CREATE INDEX task_subject ON task (subject);

-- What must leave, each once for ever: id is derived from key.
CREATE TABLE effect (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    destination TEXT NOT NULL,
    order_id    TEXT NOT NULL DEFAULT '',
    customer_id TEXT NOT NULL DEFAULT '',
    event_id    TEXT NOT NULL,
    automation  TEXT NOT NULL DEFAULT '',
    purpose     TEXT NOT NULL,
    payload     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'done', 'dead', 'cancelled')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    fence       BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT NOT NULL DEFAULT '',
    receipt     TEXT NOT NULL DEFAULT '',
    created     BIGINT NOT NULL,
    due         BIGINT NOT NULL,
    claimed_at  BIGINT NOT NULL DEFAULT 0,
    done_at     BIGINT NOT NULL DEFAULT 0
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX effect_order ON effect (order_id) WHERE order_id <> '';
CREATE INDEX effect_live ON effect (due, id, destination) WHERE state IN ('pending', 'claimed');
CREATE INDEX effect_dead ON effect (created, id) WHERE state = 'dead';

-- Timers: an event to submit when due; the row goes when the event is decided.
CREATE TABLE timer (
    id    TEXT PRIMARY KEY,               -- derived: the same cause sets one timer
    due   BIGINT NOT NULL,
    type  TEXT NOT NULL,
    data  TEXT NOT NULL,
    cause TEXT NOT NULL
);
CREATE INDEX timer_due ON timer (due);

-- How often each automation fired, was false or unknown, by UTC hour: the counts in the console.
CREATE TABLE automation_count (
    name       TEXT NOT NULL,
    hour       BIGINT NOT NULL,
    considered BIGINT NOT NULL,
    fired      BIGINT NOT NULL,
    unknown    BIGINT NOT NULL,
    PRIMARY KEY (name, hour)
) /*sqlite: WITHOUT ROWID */;

-- The policy: immutable texts by content hash, and revisions that name the current set.
CREATE TABLE policy_text (
    hash    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,                -- automation, routing, shop
    name    TEXT NOT NULL,
    text    TEXT NOT NULL,
    created BIGINT NOT NULL,
    author  TEXT NOT NULL
);
CREATE TABLE policy_revision (
    rev     BIGINT PRIMARY KEY,
    created BIGINT NOT NULL,
    author  TEXT NOT NULL,
    note    TEXT NOT NULL DEFAULT '',
    members TEXT NOT NULL                 -- JSON list of {kind,name,hash}
);
-- One row: what decisions read. Locations count too: master data that decisions cache.
CREATE TABLE policy_current (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    rev       BIGINT NOT NULL,
    locations BIGINT NOT NULL             -- +1 whenever a location changes
);
INSERT INTO policy_current (one, rev, locations) VALUES (1, 0, 0);

CREATE TABLE connection (
    name    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,                -- inbound, webhook, smtp
    config  TEXT NOT NULL,                -- JSON, nothing secret
    secrets TEXT NOT NULL DEFAULT '',     -- sealed JSON
    updated BIGINT NOT NULL
);

CREATE TABLE users (
    id       TEXT PRIMARY KEY,
    email    TEXT NOT NULL UNIQUE,        -- lower case
    name     TEXT NOT NULL,
    role     TEXT NOT NULL,
    password TEXT NOT NULL,               -- argon2id, PHC string
    created  BIGINT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE session (
    token  TEXT PRIMARY KEY,              -- SHA-256 of the cookie's token
    data   TEXT NOT NULL,
    expiry BIGINT NOT NULL
);
CREATE INDEX session_expiry ON session (expiry);
CREATE TABLE api_token (
    hash      TEXT PRIMARY KEY,           -- SHA-256 of the token
    name      TEXT NOT NULL UNIQUE,
    scopes    TEXT NOT NULL,              -- space separated
    created   BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    last_used BIGINT NOT NULL DEFAULT 0,
    revoked   INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE saved_filter (
    id      TEXT PRIMARY KEY,
    page    TEXT NOT NULL,
    name    TEXT NOT NULL,
    query   TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Postal codes and IP ranges come by `orderly data import`; absent means unknown.
CREATE TABLE geo_postal (
    country TEXT NOT NULL,
    code    TEXT NOT NULL,                -- normalised: capitals, no spaces or hyphens
    lat     DOUBLE PRECISION NOT NULL,
    lon     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (country, code)
) /*sqlite: WITHOUT ROWID */;
CREATE TABLE geo_ip (
    lo      BIGINT PRIMARY KEY,           -- first IPv4 address of the range
    hi      BIGINT NOT NULL,
    country TEXT NOT NULL
);

-- +goose Down
DROP TABLE geo_ip;
DROP TABLE geo_postal;
DROP TABLE setting;
DROP TABLE saved_filter;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE users;
DROP TABLE connection;
DROP TABLE policy_current;
DROP TABLE policy_revision;
DROP TABLE policy_text;
DROP TABLE automation_count;
DROP TABLE timer;
DROP TABLE effect;
DROP TABLE task;
DROP TABLE stock_wait;
DROP TABLE stock_balance;
DROP TABLE stock_move;
DROP TABLE location_day;
DROP TABLE location;
DROP TABLE product;
DROP TABLE velocity;
DROP TABLE customer_search;
DROP TABLE customer;
DROP TABLE orders;
DROP TABLE event;
DROP TABLE event_conflict;
DROP TABLE event_key;
/*postgres: DROP SEQUENCE decided_seq; */

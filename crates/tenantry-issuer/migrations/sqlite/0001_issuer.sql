-- Tenants, their clients, refresh tokens and signing keys. Times are milliseconds since the Unix epoch.
-- The tables of ../postgres are the same: one text of each query serves both.

-- "TENT": a database without it that holds something is another program's.
PRAGMA application_id = 1413828180;

CREATE TABLE tenant (
    id         TEXT    NOT NULL PRIMARY KEY,
    folded     TEXT    NOT NULL UNIQUE, -- the id in lower case: no two may differ only in case
    name       TEXT,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'suspended')),
    claims     TEXT    NOT NULL,        -- a JSON object
    created_at INTEGER NOT NULL,
    -- Counts up when the tenant's refresh tokens are revoked: those of before are void. It starts at
    -- created_at, so that a tenant that has the id of another one starts above what that had reached.
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
    tenant                   TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    id                       TEXT    NOT NULL,
    name                     TEXT,
    auth                     TEXT    NOT NULL
        CHECK (auth IN ('client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    secret_hash              BLOB    CHECK (length(secret_hash) = 32),
    jwks                     TEXT,
    grant_client_credentials INTEGER NOT NULL,
    grant_refresh_token      INTEGER NOT NULL,
    scopes                   TEXT    NOT NULL, -- a JSON array of strings
    audiences                TEXT    NOT NULL, -- a JSON array of strings
    claims                   TEXT    NOT NULL, -- a JSON object
    enabled                  INTEGER NOT NULL,
    created_at               INTEGER NOT NULL,
    generation               INTEGER NOT NULL, -- as the tenant's
    PRIMARY KEY (tenant, id),
    CHECK ((auth = 'private_key_jwt') = (secret_hash IS NULL)),
    CHECK ((auth = 'private_key_jwt') = (jwks IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- One row for a family, whatever was rotated: so there is one live token, and never none.
CREATE TABLE refresh_family (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant        TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    scopes        TEXT    NOT NULL, -- a JSON array of strings
    audiences     TEXT    NOT NULL, -- a JSON array of strings
    current_hash  BLOB    NOT NULL CHECK (length(current_hash) = 32),
    previous_hash BLOB    CHECK (length(previous_hash) = 32),
    rotated_at    INTEGER,
    used_at       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    revoked_at    INTEGER,
    generation    INTEGER NOT NULL, -- the client's and the tenant's, added up, when the family began
    CHECK ((previous_hash IS NULL) = (rotated_at IS NULL)),
    FOREIGN KEY (tenant, client) REFERENCES client (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_family_client ON refresh_family (tenant, client);
CREATE INDEX refresh_family_expires_at ON refresh_family (expires_at);

-- What may be used once: assertions, by the hash of who signed them and their jti.
CREATE TABLE used_once (
    hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_once_until ON used_once (until);

-- It outlives its tenant: who registers that id again must not bring its tokens back.
CREATE TABLE revoked_access_token (
    tenant TEXT    NOT NULL,
    jti    TEXT    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (tenant, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_access_token_until ON revoked_access_token (until);

-- The row that whoever changes an owner's keys locks.
CREATE TABLE key_owner (
    owner   TEXT    NOT NULL PRIMARY KEY, -- the tenant's id, or empty: shared by all
    tenant  TEXT    REFERENCES tenant (id) ON DELETE CASCADE,
    changes INTEGER NOT NULL,
    CHECK (owner = coalesce(tenant, ''))
) STRICT, WITHOUT ROWID;

CREATE INDEX key_owner_tenant ON key_owner (tenant);

CREATE TABLE signing_key (
    kid          TEXT    NOT NULL PRIMARY KEY,
    owner        TEXT    NOT NULL REFERENCES key_owner (owner) ON DELETE CASCADE,
    algorithm    TEXT    NOT NULL,
    private_key  BLOB    NOT NULL,
    encryption   TEXT,            -- NULL: in clear
    public_jwk   TEXT    NOT NULL, -- a JSON object
    published_at INTEGER NOT NULL,
    active_at    INTEGER NOT NULL,
    retired_at   INTEGER,
    removed_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX signing_key_owner ON signing_key (owner);

-- What the server was started with last: commands without a file take the same for their own.
CREATE TABLE served (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    issuer      TEXT    NOT NULL,
    file_issuer TEXT             -- the one that its file names; NULL: it had no file
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_event (
    number     INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    tenant     TEXT,
    client     TEXT,
    grant_type TEXT,
    scopes     TEXT    NOT NULL, -- a JSON array of strings
    outcome    TEXT    NOT NULL CHECK (outcome IN ('done', 'failed', 'refused')),
    reason     TEXT
) STRICT;

CREATE INDEX audit_event_tenant ON audit_event (tenant, number);
CREATE INDEX audit_event_client ON audit_event (client, number);
CREATE INDEX audit_event_not_done ON audit_event (number) WHERE outcome <> 'done';

-- Gives numbers in the order of commits: a reader that has seen one has seen all before it.
CREATE TABLE audit_number (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO audit_number (id, last) VALUES (1, 0);

-- What happened, happened.

CREATE TRIGGER audit_event_update BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are immutable'); END;

CREATE TRIGGER audit_event_delete BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are immutable'); END;

-- `INSERT OR REPLACE` deletes without running the trigger above.
CREATE TRIGGER audit_event_replace BEFORE INSERT ON audit_event
WHEN EXISTS (SELECT 1 FROM audit_event WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'audit events are immutable'); END;

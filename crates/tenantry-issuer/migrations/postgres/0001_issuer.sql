-- Tenants, their clients, refresh tokens and signing keys. Times are milliseconds since the Unix epoch.
-- The tables of ../sqlite are the same: one text of each query serves both.
-- COLLATE "C": ids are compared and put in order as bytes, whatever the language of the database.

CREATE TABLE tenant (
    id         TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    folded     TEXT    COLLATE "C" NOT NULL UNIQUE, -- the id in lower case: no two may differ only in case
    name       TEXT,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'suspended')),
    claims     TEXT    NOT NULL,        -- a JSON object
    created_at BIGINT  NOT NULL,
    -- Counts up when the tenant's refresh tokens are revoked: those of before are void. It starts at
    -- created_at, so that a tenant that has the id of another one starts above what that had reached.
    generation BIGINT  NOT NULL
);

CREATE TABLE client (
    tenant                   TEXT    COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    id                       TEXT    COLLATE "C" NOT NULL,
    name                     TEXT,
    auth                     TEXT    NOT NULL
        CHECK (auth IN ('client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    secret_hash              BYTEA   CHECK (length(secret_hash) = 32),
    jwks                     TEXT,
    grant_client_credentials BOOLEAN NOT NULL,
    grant_refresh_token      BOOLEAN NOT NULL,
    scopes                   TEXT    NOT NULL, -- a JSON array of strings
    audiences                TEXT    NOT NULL, -- a JSON array of strings
    claims                   TEXT    NOT NULL, -- a JSON object
    enabled                  BOOLEAN NOT NULL,
    created_at               BIGINT  NOT NULL,
    generation               BIGINT  NOT NULL, -- as the tenant's
    PRIMARY KEY (tenant, id),
    CHECK ((auth = 'private_key_jwt') = (secret_hash IS NULL)),
    CHECK ((auth = 'private_key_jwt') = (jwks IS NOT NULL))
);

-- One row for a family, whatever was rotated: so there is one live token, and never none.
CREATE TABLE refresh_family (
    id            BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant        TEXT    COLLATE "C" NOT NULL,
    client        TEXT    COLLATE "C" NOT NULL,
    scopes        TEXT    NOT NULL, -- a JSON array of strings
    audiences     TEXT    NOT NULL, -- a JSON array of strings
    current_hash  BYTEA   NOT NULL CHECK (length(current_hash) = 32),
    previous_hash BYTEA   CHECK (length(previous_hash) = 32),
    rotated_at    BIGINT,
    used_at       BIGINT  NOT NULL,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    revoked_at    BIGINT,
    generation    BIGINT  NOT NULL, -- the client's and the tenant's, added up, when the family began
    CHECK ((previous_hash IS NULL) = (rotated_at IS NULL)),
    FOREIGN KEY (tenant, client) REFERENCES client (tenant, id) ON DELETE CASCADE
);

CREATE INDEX refresh_family_client ON refresh_family (tenant, client);
CREATE INDEX refresh_family_expires_at ON refresh_family (expires_at);

-- What may be used once: assertions, by the hash of who signed them and their jti.
CREATE TABLE used_once (
    hash  BYTEA   NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    until BIGINT  NOT NULL
);

CREATE INDEX used_once_until ON used_once (until);

-- It outlives its tenant: who registers that id again must not bring its tokens back.
CREATE TABLE revoked_access_token (
    tenant TEXT    COLLATE "C" NOT NULL,
    jti    TEXT    COLLATE "C" NOT NULL,
    until  BIGINT  NOT NULL,
    PRIMARY KEY (tenant, jti)
);

CREATE INDEX revoked_access_token_until ON revoked_access_token (until);

-- The row that whoever changes an owner's keys locks.
CREATE TABLE key_owner (
    owner   TEXT    COLLATE "C" NOT NULL PRIMARY KEY, -- the tenant's id, or empty: shared by all
    tenant  TEXT    COLLATE "C" REFERENCES tenant (id) ON DELETE CASCADE,
    changes BIGINT  NOT NULL,
    CHECK (owner = coalesce(tenant, ''))
);

CREATE INDEX key_owner_tenant ON key_owner (tenant);

CREATE TABLE signing_key (
    kid          TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    owner        TEXT    COLLATE "C" NOT NULL REFERENCES key_owner (owner) ON DELETE CASCADE,
    algorithm    TEXT    NOT NULL,
    private_key  BYTEA   NOT NULL,
    encryption   TEXT,            -- NULL: in clear
    public_jwk   TEXT    NOT NULL, -- a JSON object
    published_at BIGINT  NOT NULL,
    active_at    BIGINT  NOT NULL,
    retired_at   BIGINT,
    removed_at   BIGINT
);

CREATE INDEX signing_key_owner ON signing_key (owner);

-- What the server was started with last: commands without a file take the same for their own.
CREATE TABLE served (
    id          BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    issuer      TEXT    NOT NULL,
    file_issuer TEXT             -- the one that its file names; NULL: it had no file
);

CREATE TABLE audit_event (
    number     BIGINT  NOT NULL PRIMARY KEY,
    at         BIGINT  NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    tenant     TEXT,
    client     TEXT,
    grant_type TEXT,
    scopes     TEXT    NOT NULL, -- a JSON array of strings
    outcome    TEXT    NOT NULL CHECK (outcome IN ('done', 'failed', 'refused')),
    reason     TEXT
);

CREATE INDEX audit_event_tenant ON audit_event (tenant, number);
CREATE INDEX audit_event_client ON audit_event (client, number);
CREATE INDEX audit_event_not_done ON audit_event (number) WHERE outcome <> 'done';

-- Gives numbers in the order of commits: a reader that has seen one has seen all before it.
CREATE TABLE audit_number (
    id   BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);

INSERT INTO audit_number (id, last) VALUES (1, 0);

-- What happened, happened.

CREATE FUNCTION audit_event_is_immutable() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit events are immutable'; END $$;

CREATE TRIGGER audit_event_change BEFORE UPDATE OR DELETE ON audit_event
FOR EACH ROW EXECUTE FUNCTION audit_event_is_immutable();

CREATE TRIGGER audit_event_truncate BEFORE TRUNCATE ON audit_event
FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_immutable();

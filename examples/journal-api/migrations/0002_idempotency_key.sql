-- What was booked for a request with an `Idempotency-Key`, so that a retry finds it.
-- Written in the transaction that books; not the body of the request but its hash.

CREATE TABLE idempotency_key (
    tenant     TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    caller_is  TEXT    NOT NULL CHECK (caller_is IN ('client', 'subject')),
    caller     TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    request    BLOB    NOT NULL CHECK (length(request) = 32),
    entry      TEXT    NOT NULL,
    kept_until INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (tenant, issuer, caller_is, caller, value),
    FOREIGN KEY (tenant, entry) REFERENCES journal_entry (tenant, id)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_key_kept_until ON idempotency_key (tenant, kept_until);

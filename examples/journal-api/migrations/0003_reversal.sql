-- Which entry puts which right. An entry is reversed once, and a reversal is not.

CREATE TABLE journal_reversal (
    tenant   TEXT NOT NULL,
    original TEXT NOT NULL,
    reversal TEXT NOT NULL CHECK (reversal <> original),
    PRIMARY KEY (tenant, original),
    UNIQUE (tenant, reversal),
    FOREIGN KEY (tenant, original) REFERENCES journal_entry (tenant, id)
        DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant, reversal) REFERENCES journal_entry (tenant, id)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TRIGGER journal_reversal_of_reversal BEFORE INSERT ON journal_reversal
WHEN EXISTS (SELECT 1 FROM journal_reversal
             WHERE tenant = NEW.tenant
             AND (reversal = NEW.original OR original = NEW.reversal))
BEGIN SELECT RAISE(ABORT, 'a reversal is not reversed'); END;

CREATE TRIGGER journal_reversal_update BEFORE UPDATE ON journal_reversal
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

CREATE TRIGGER journal_reversal_delete BEFORE DELETE ON journal_reversal
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

-- `INSERT OR REPLACE` deletes without running the trigger above.
CREATE TRIGGER journal_reversal_replace BEFORE INSERT ON journal_reversal
WHEN EXISTS (SELECT 1 FROM journal_reversal
             WHERE tenant = NEW.tenant
             AND (original = NEW.original OR reversal = NEW.reversal))
BEGIN SELECT RAISE(ABORT, 'an entry is reversed once'); END;

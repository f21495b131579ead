-- The journal of all tenants: the tenant leads every key, and every query names it.

CREATE TABLE journal_entry (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    date   TEXT NOT NULL,
    memo   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Lines are written before their entry, which closes it: from then on there can be no more.
-- Hence the foreign key that is looked at when the transaction ends.
CREATE TABLE journal_line (
    tenant   TEXT    NOT NULL,
    entry    TEXT    NOT NULL,
    position INTEGER NOT NULL,
    account  TEXT    NOT NULL,
    side     TEXT    NOT NULL CHECK (side IN ('debit', 'credit')),
    amount   TEXT    NOT NULL, -- decimal; SQLite's own numbers are not exact
    currency TEXT    NOT NULL,
    PRIMARY KEY (tenant, entry, position),
    FOREIGN KEY (tenant, entry) REFERENCES journal_entry (tenant, id)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- What is booked stays as it is. A mistake is put right by another entry.

CREATE TRIGGER journal_entry_update BEFORE UPDATE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

CREATE TRIGGER journal_entry_delete BEFORE DELETE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

-- `INSERT OR REPLACE` deletes without running the trigger above.
CREATE TRIGGER journal_entry_replace BEFORE INSERT ON journal_entry
WHEN EXISTS (SELECT 1 FROM journal_entry WHERE tenant = NEW.tenant AND id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

CREATE TRIGGER journal_line_update BEFORE UPDATE ON journal_line
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

CREATE TRIGGER journal_line_delete BEFORE DELETE ON journal_line
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

CREATE TRIGGER journal_line_insert BEFORE INSERT ON journal_line
WHEN EXISTS (SELECT 1 FROM journal_entry WHERE tenant = NEW.tenant AND id = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'journal entries are immutable'); END;

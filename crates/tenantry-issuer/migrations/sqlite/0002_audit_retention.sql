-- What happened, happened; after a stated time it need not be kept.

-- Events of before may be removed. It only moves on.
ALTER TABLE audit_number ADD COLUMN kept_from INTEGER NOT NULL DEFAULT 0;

CREATE INDEX audit_event_at ON audit_event (at);

DROP TRIGGER audit_event_delete;

CREATE TRIGGER audit_event_delete BEFORE DELETE ON audit_event
WHEN OLD.at >= (SELECT kept_from FROM audit_number)
BEGIN SELECT RAISE(ABORT, 'audit events are immutable'); END;

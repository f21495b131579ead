-- What happened, happened; after a stated time it need not be kept.

-- Events of before may be removed. It only moves on.
ALTER TABLE audit_number ADD COLUMN kept_from BIGINT NOT NULL DEFAULT 0;

CREATE INDEX audit_event_at ON audit_event (at);

DROP TRIGGER audit_event_change ON audit_event;

CREATE TRIGGER audit_event_change BEFORE UPDATE ON audit_event
FOR EACH ROW EXECUTE FUNCTION audit_event_is_immutable();

CREATE FUNCTION audit_event_is_past() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF OLD.at >= (SELECT kept_from FROM audit_number) THEN
        RAISE EXCEPTION 'audit events are immutable';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER audit_event_delete BEFORE DELETE ON audit_event
FOR EACH ROW EXECUTE FUNCTION audit_event_is_past();

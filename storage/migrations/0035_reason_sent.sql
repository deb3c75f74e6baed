-- Of the messages with a reason, those of which a part was, or may have been, on the wire. A report by reason shows them.
ALTER TABLE rollup_reason ADD COLUMN sent integer NOT NULL DEFAULT 0;

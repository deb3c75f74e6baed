-- A file whose import failed may be sent again: it is no longer known by its hash.
UPDATE import_job SET sha256 = NULL WHERE state = 'failed';

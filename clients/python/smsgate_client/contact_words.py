"""Owns the words of contacts and of files of them. Must not refuse one that a later gateway has."""

from __future__ import annotations

from smsgate_client.words import Word


class AttributeType(Word):
    """What an attribute of contacts may be."""

    BOOL = "bool"
    DATE = "date"
    INSTANT = "instant"
    MONEY = "money"
    NUMBER = "number"
    SET = "set"
    TEXT = "text"


class ContactMode(Word):
    """What becomes of what is known already: it stays, or is changed."""

    FILL = "fill"
    OVERWRITE = "overwrite"


class ContactFormat(Word):
    """Of a file of contacts."""

    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class ImportMode(Word):
    """What a file does to contacts that are known."""

    FILL = "fill"
    OVERWRITE = "overwrite"
    SKIP = "skip"


class ImportState(Word):
    """How far a file of contacts is."""

    DONE = "done"
    FAILED = "failed"
    RECEIVING = "receiving"
    RUNNING = "running"
    UNDOING = "undoing"
    UNDONE = "undone"
    WAITING = "waiting"


class RowVerdict(Word):
    """What became of a row of a file of contacts."""

    CREATED = "created"
    DUPLICATE_IN_FILE = "duplicate_in_file"
    INVALID = "invalid"
    KEPT = "kept"
    MERGED = "merged"
    UNCHANGED = "unchanged"
    UNDONE = "undone"
    UPDATED = "updated"

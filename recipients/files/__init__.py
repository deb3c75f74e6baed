"""The suppression list as files: imported, exported, and compared with a partner's.

Owns these three. Must not read a file's form: rows come in and go out.
"""

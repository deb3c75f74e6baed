"""Files of contacts: read in pieces, mapped to fields, taken row by row, taken back.

Owns the way of a file into contacts. Must not decide what a row changes (contacts/deciding.py).
"""

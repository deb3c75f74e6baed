"""Caps by group: how much marketing those with a tag, or in a segment, get beside what all get.

Owns `group_cap` and `group_cap_member`. Must not count a message (recipients/frequency.py does).
"""

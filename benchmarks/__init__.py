"""Measurements of the whole and of its parts; each prints its conditions and what it measured.

Owns no code of the gateway. Must not be imported by it.
"""

"""Measurements of the whole and of its parts; each prints its conditions and what it measured."""

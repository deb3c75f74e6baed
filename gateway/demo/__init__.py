"""The demo: the whole gateway as three processes, real messages, and a report that adds up.

Owns what `smsgate demo` shows. Must not talk to the gateway but as an application would.
"""

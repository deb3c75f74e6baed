"""The load generator: it sends at a rate of its own, whatever the answers take.

Owns what `smsgate load` sends, times and counts. Must not know the gateway's inside, nor start one.
"""

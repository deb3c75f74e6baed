"""The demo of a campaign: from a file of people to a report that agrees with what they did.

Owns what `smsgate demo --campaign` shows. Must not talk to the gateway but as a marketer's programs
would.
"""

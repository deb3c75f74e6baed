"""The people that an account may write to: upserted, imported, merged, erased.

Owns `contact` and what belongs to it. Must not touch a consent or a suppression: these belong to
the number, and stay whatever becomes of the contact.
"""

"""What contacts did: events that are told, sums by contact, and the hour that suits each.

Owns `contact_event` and what is summed of it. Must not know a contact's fields.
"""

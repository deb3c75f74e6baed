"""The demo: the whole gateway as three processes, real messages, and a report that adds up."""

"""The load generator: it sends at a rate of its own, whatever the answers take."""

"""Integrity of the audit log: events form a hash chain, the database refuses changes, and anyone can verify it.

An event is written without a position in the chain, so that writers never wait for each other. One sealer at a time
gives each event a position, the hash of the event before it, and its own hash (sealing.py). Triggers (triggers.py)
allow that once and refuse every other change; verification.py checks the chain; retention.py replaces old events by a
signed summary; anchors.py publishes the head of the chain outside the database.
"""

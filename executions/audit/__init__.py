"""The record's integrity: events become a chain, the database refuses changes, and anybody can check it.

An event is written without a place in the chain, so that writers never wait for each other. One sealer at a time
gives each a position, the hash of the one before, and its own (sealing.py). Triggers (triggers.py) let that happen
once and refuse everything else; verifying.py walks the chain; pruning.py leaves a signed summary of what the
retention rule removes; anchors.py tells the head to the world outside.
"""

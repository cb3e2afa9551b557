"""The counts behind the page of figures: read from events, added to what was counted before."""

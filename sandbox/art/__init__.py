"""Drawing for the makers: moods read from words, composed scenes, captions, renditions. No HTTP in here."""

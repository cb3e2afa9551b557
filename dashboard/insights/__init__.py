"""The page of figures: what is asked for, what the counts say to that, and how it is drawn."""

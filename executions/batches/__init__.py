"""What a batch is made of: its rows before they are jobs, the jobs' insertion, and its results as one archive."""

"""Search for jobs and files, by text and by filters."""

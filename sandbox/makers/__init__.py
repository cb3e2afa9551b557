"""The makers, one module per kind of media. They run in worker processes, never in the server process."""

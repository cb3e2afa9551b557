"""The makers: one module per kind of media, run in worker processes, never in the server's own."""

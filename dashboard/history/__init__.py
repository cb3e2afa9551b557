"""The history's page: what its address asks for, what its form offers, and what stands on it."""

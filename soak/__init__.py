"""A program that starts hundreds of jobs while everything goes wrong, and then compares each with the truth."""

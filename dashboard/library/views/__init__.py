"""The library: the grid, one file, uploads, public files, copies, and media links that do not expire."""

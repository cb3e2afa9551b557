"""HTTP handlers, one module per thing; each reads, asks a part of the world, and answers."""

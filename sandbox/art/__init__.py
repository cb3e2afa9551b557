"""Image, audio and video code for the makers. Independent of HTTP."""

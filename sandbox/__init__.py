"""A local server that speaks the VideoGen API v1 and makes real, stand-in media.

A program of its own: it shares no code with the dashboard and meets it over HTTP only. Start it with
``python -m sandbox --port 8090 --api-key K``; README.md beside this file says what it can be told to do.
"""

"""A local server that implements the VideoGen API v1 and generates simple placeholder media.

A separate program: it shares no code with the dashboard, which talks to it over HTTP only. Start it with
``python -m sandbox --port 8090 --api-key K``. README.md in this folder documents the options and faults.
"""

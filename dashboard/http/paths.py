"""Paths that others rely on and that more than one module has to name: VideoGen posts to one, sockets open another."""

RECEIVER_PATH = "webhooks/videogen/"
LIVE_PATH = "ws/live/"
UPLOAD_PATH = "files/upload/"

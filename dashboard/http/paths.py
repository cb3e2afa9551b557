"""Paths that several modules need: the webhook receiver, the live socket and the upload."""

RECEIVER_PATH = "webhooks/videogen/"
LIVE_PATH = "ws/live/"
UPLOAD_PATH = "files/upload/"

"""Files: uploads, media types, signed URLs, and the actions of people on them."""

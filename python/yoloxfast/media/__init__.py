"""Images in, pictures out."""

"""From an image or a sound to a decided result: what services, `classify` and training share."""

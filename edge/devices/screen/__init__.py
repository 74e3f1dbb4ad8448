"""Screens: a window, the framebuffer, a PNG file, or none."""

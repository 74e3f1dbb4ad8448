"""Microphones: PortAudio or a sound file, and the thread that reads them."""

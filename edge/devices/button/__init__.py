"""Buttons: a GPIO header, a GPIO chip's line, or an input device's key."""

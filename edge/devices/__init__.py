"""Camera, microphone, button, screen: the only vendor imports, made inside constructors."""

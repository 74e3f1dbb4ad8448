"""One file, one process: what each does with what comes in. Services never import each other."""

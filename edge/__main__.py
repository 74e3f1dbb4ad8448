"""The command `emotion-edge`, and `python -m edge`."""


def main() -> int:
    """Run the command; Ctrl-C while it is still being loaded ends it quietly, too."""
    try:
        from edge.commands import main as cli

        return cli.main()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())

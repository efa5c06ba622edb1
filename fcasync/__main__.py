"""``python -m fcasync`` and the ``fcasync`` command."""

import sys


def main() -> None:
    """Run the command line, or name the package that it needs."""
    try:
        from fcasync.cli import cli  # noqa: PLC0415 - it may be missing what it needs

        cli()
    except ImportError as error:
        sys.exit(f"fcasync: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # before any command has begun


if __name__ == "__main__":
    main()

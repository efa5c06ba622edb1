"""``python -m fcasync`` and the ``fcasync`` command."""

import sys


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        import click  # noqa: F401, PLC0415
        import rich  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"fcasync: the command line needs {error.name}: pip install 'fcasync[cli]'")
    try:
        from fcasync.cli import cli  # noqa: PLC0415 - only now is it known to be importable

        cli()
    except KeyboardInterrupt:
        sys.exit(130)  # so early that no command has begun


if __name__ == "__main__":
    main()

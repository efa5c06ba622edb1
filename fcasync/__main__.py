"""``python -m fcasync`` and the ``fcasync`` command."""

import sys


def main() -> None:
    """Run the command line, or name the package that it needs."""
    try:
        import click  # noqa: F401, PLC0415
        import rich  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"fcasync: the command line needs {error.name}: pip install 'fcasync[cli]'")
    try:
        from fcasync.cli import cli  # noqa: PLC0415 - importable only now

        cli()
    except KeyboardInterrupt:
        sys.exit(130)  # before any command has begun


if __name__ == "__main__":
    main()

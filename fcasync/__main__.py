"""``python -m fcasync`` and the ``fcasync`` command."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Run the command line, or name the package that it needs."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        # `>&-` and `2>&-` leave None in their place.
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        try:
            _commands()()
        except KeyboardInterrupt:
            sys.exit(130)  # before any command has begun
        except OSError as error:
            if error.filename is not None:
                raise
            # Only standard output has no name. Python writes what is left of it at exit.
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
            sys.exit(f"fcasync: cannot write the output: {error.strerror}")


def _commands() -> Callable[[], None]:
    try:
        from fcasync.cli import cli  # noqa: PLC0415 - it may be missing what it needs
    except ImportError as error:
        sys.exit(f"fcasync: {error}")
    return cli


if __name__ == "__main__":
    main()

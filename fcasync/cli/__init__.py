"""The command line: ``fcasync --help``."""

try:
    import click
    import rich  # noqa: F401
except ModuleNotFoundError as _error:
    raise ImportError(
        f"the command line needs {_error.name}: pip install 'fcasync[cli]'"
    ) from _error

from fcasync._version import __version__
from fcasync.cli.accounts import accounts
from fcasync.cli.journal import journal
from fcasync.cli.refresh import refresh
from fcasync.cli.sandbox import sandbox
from fcasync.cli.sync import sync
from fcasync.cli.transactions import transactions

EXAMPLES = """\b
Examples:
  fcasync accounts list --sandbox
  fcasync refresh --all --features balance --wait --sandbox=500
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.version_option(__version__, prog_name="fcasync")
def cli() -> None:
    """Stripe Financial Connections from the shell.

    The API key comes from --api-key or STRIPE_API_KEY. No key is needed with --sandbox, which goes
    after the command.

    Exit codes: 0 success, 1 something failed, 2 usage, 3 authentication, 130 interrupted.
    """


cli.add_command(accounts)
cli.add_command(journal)
cli.add_command(refresh)
cli.add_command(sandbox)
cli.add_command(sync)
cli.add_command(transactions)

"""The command line: ``fcasync --help``."""

try:
    import click
    import rich  # noqa: F401
except ModuleNotFoundError as _error:
    raise ImportError(
        f"the command line needs {_error.name}: pip install 'fcasync[cli]'"
    ) from _error

from fcasync._version import __version__
from fcasync.cli._command import Program, examples
from fcasync.cli._connection import outer_options
from fcasync.cli.accounts import accounts
from fcasync.cli.guide import guide
from fcasync.cli.jobs import disconnect, subscribe, unsubscribe
from fcasync.cli.journal import journal
from fcasync.cli.refresh import refresh
from fcasync.cli.sandbox import sandbox
from fcasync.cli.sessions import sessions
from fcasync.cli.sync import sync
from fcasync.cli.transactions import transactions


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "accounts list --sandbox",
        "refresh --all --features balance --wait --sandbox=500",
        "guide nightly",
    ),
)
@click.version_option(__version__, prog_name="fcasync")
@outer_options
def cli() -> None:
    """Stripe Financial Connections from the shell.

    The API key comes from --api-key or STRIPE_API_KEY; --sandbox needs none. The options of the
    connection may stand before or after the command.

    Results go to stdout, everything else to stderr. Exit codes: 0 success, 1 something failed, 2 a
    mistake in the command or in a file that it names, 3 authentication, 130 interrupted.

    Completion: eval "$(_FCASYNC_COMPLETE=bash_source fcasync)" (or zsh_source, fish_source).
    """


for _command in (
    accounts,
    disconnect,
    guide,
    journal,
    refresh,
    sandbox,
    sessions,
    subscribe,
    sync,
    transactions,
    unsubscribe,
):
    cli.add_command(_command)

"""``fcasync guide``: the pages of the guide, in the terminal."""

import os

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.markdown import Markdown

from fcasync._facts.guide import page, topics
from fcasync.cli._command import examples
from fcasync.cli._common import USAGE, Failure


def _complete(ctx: click.Context, param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=title) for name, title in topics().items() if text in name]


@click.command(epilog=examples("guide", "guide webhooks", "guide errors | less"))
@click.argument("topic", required=False, shell_complete=_complete)
def guide(topic: str | None) -> None:
    """Print a page of the guide, or the list of its pages.

    A terminal gets it laid out; a pipe or a file gets the Markdown.
    """
    console = Console(highlight=False)
    if topic is None:
        for name, title in topics().items():
            click.echo(f"{name:<15}{title}")
        return
    try:
        text = page(topic)
    except KeyError:
        raise Failure(
            f"there is no page {topic!r}; choose from {', '.join(topics())}", USAGE
        ) from None
    if console.is_terminal:
        os.environ.setdefault("LESS", "FRX")  # short pages stay on the screen
        with console.pager(styles=True):
            console.print(Markdown(text), width=min(console.width, 100))
    else:
        click.echo(text, nl=False)

"""``--help``, as a terminal of eighty columns shows it."""

from collections.abc import Iterator

import click
import pytest

from fcasync.cli import cli
from tests.cli.test_cli import fcasync


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.mark.parametrize("path", [*commands(cli)], ids=" ".join)
def test_no_line_of_a_list_of_commands_is_cut(path: tuple[str, ...]) -> None:
    """Eighty columns are enough for each."""
    text = fcasync(*path, "--help", COLUMNS="80").stdout
    found = text.partition("Commands:\n")[2].partition("\n\n")[0]
    assert found
    assert "..." not in found

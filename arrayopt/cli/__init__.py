"""The command line: `arrayopt check`, `claims`, `explain`, `list` and `vectors`."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from arrayopt.cli import checking, claiming, explaining, vectors
from arrayopt.errors import ArrayOptError

app = typer.Typer(
    name="arrayopt",
    help="The executable reference for optimisation: check optimizers, explain rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("check")(checking.command)
app.command("claims")(claiming.claims)
app.command("explain")(explaining.explain)
app.command("list")(explaining.list_rules)
app.add_typer(vectors.app, name="vectors")


def main() -> None:
    """Run the command line; errors that arrayopt raises on purpose are one line, exit code 2."""
    try:
        app()
    except ArrayOptError as error:
        Console(stderr=True).print(f"[red]arrayopt:[/red] {error}", highlight=False)
        sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        import arrayopt

        print(arrayopt.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass

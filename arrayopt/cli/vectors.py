"""`arrayopt vectors`: rules as data that needs no Python to be consumed."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from arrayopt.cli.rules import rule_named
from arrayopt.conformance.fields import with_fields
from arrayopt.conformance.vectors import export, verify
from arrayopt.core.results import write_json

app = typer.Typer(help="Test vectors: hold an optimizer in any language against a rule.", no_args_is_help=True)


@app.command("export")
def vectors_export(
    rule: Annotated[str, typer.Argument(help="A rule, such as adamw.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write; made if need be.")],
    dialect: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=VALUE", help="A dialect field, repeatable.")
    ] = None,
    numbers: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A hyper-parameter, repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random probes.")] = 0,
) -> None:
    """Write test vectors of a rule: JSON that needs no Python to consume, see docs/vectors.md."""
    written = export(with_fields(rule_named(rule), [*(dialect or []), *(numbers or [])]), output, seed=seed)
    print(f"wrote {len(written) - 1} vectors and {written[-1]}")


@app.command("verify")
def vectors_verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `vectors export` wrote.")],
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="What the optimizer made of it, results.json.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found to this file.")] = None,
) -> None:
    """Hold results against test vectors.

    The exit code is 0 if all agree, 1 if one departs, 2 if a file is wrong.
    """
    found = verify(directory, results)
    print(found)
    if json_file is not None:
        write_json(json_file, found.to_dict())
    sys.exit(0 if found.passed else 1)

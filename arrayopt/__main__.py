"""Run the command line as ``python -m arrayopt``."""

from arrayopt.cli import main

main()

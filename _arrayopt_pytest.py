"""The pytest plugin of arrayopt: options to test an optimizer without writing a test file.

It stands outside the package because it is loaded in every run of pytest wherever arrayopt is installed: importing
the package would import NumPy, and would do so before a tool for coverage looks. All that it needs is
imported when a candidate is named.
"""

import pytest

CANDIDATE, AGAINST, EXPECT = "--arrayopt-candidate", "--arrayopt-against", "--arrayopt-expect"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("arrayopt", "optimizers held against the rules of arrayopt")
    group.addoption(
        CANDIDATE,
        action="append",
        default=[],
        metavar="TARGET",
        help="test this optimizer too: module:attribute, path.py:name or path.py (repeatable)",
    )
    group.addoption(
        AGAINST,
        metavar="RULE",
        help="the rule that it claims to follow, such as adam or \"Adam(eps_place='hat')\"; "
        "by default told from its name",
    )
    group.addoption(
        EXPECT,
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="a check that every such optimizer is known to fail, and why; an error once it passes (repeatable)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the rest if a candidate is named."""
    if config.getoption(CANDIDATE):
        from arrayopt.conformance.testing import pytest_plugin

        config.pluginmanager.register(pytest_plugin, "arrayopt-candidates")
        return
    for option in (AGAINST, EXPECT):
        if config.getoption(option):
            raise pytest.UsageError(f"{option} says nothing without {CANDIDATE}")

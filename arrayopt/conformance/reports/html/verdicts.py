"""Verdicts as they are shown: a colour, a symbol and a word, so that none of them is needed alone."""

from collections.abc import Mapping

from arrayopt.conformance.reports.html.markup import Markup, element

WORDS: Mapping[str, tuple[str, str]] = {
    "conforms": ("✓", "It computes the published rule."),
    "dialect": ("≈", "It computes another dialect of the rule, which is named."),
    "differs": ("✗", "No dialect fits, or something is wrong that is named."),
    "consistent": ("○", "No rule was given or found; nothing contradicts itself."),
    "inconsistent": ("!", "No rule was given or found; it contradicts itself."),
    "cannot-run": ("–", "It raised, or returned something else than its parameters."),
}
"""Verdict -> symbol and meaning."""


def badge(verdict: str) -> Markup:
    """Return a verdict as a coloured word with its symbol."""
    symbol, meaning = WORDS[verdict]
    return element("span", f"{symbol} {verdict}", class_=f"badge {verdict}", title=meaning)

"""Markup: HTML and SVG elements from Python, in which every text is escaped unless it is markup already."""

from html import escape

VOID = frozenset({"meta", "br", "wbr", "hr", "img"})
"""Elements of HTML that have no content and no end."""


class Markup(str):
    """Text that is markup, and goes into other markup as it is."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    tag : str
        Its name.
    *content : str
        What is in it: `Markup` as it is, any other text escaped.
    **attributes : object
        Its attributes. A trailing underscore is dropped, any other becomes a hyphen; None leaves one out.

    Examples
    --------
    >>> element("a", "x < y", Markup("<br>"), href="#top", class_="small")
    '<a href="#top" class="small">x &lt; y<br></a>'
    """
    given = {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items() if v is not None}
    opening = "".join(f' {k}="{escape(str(v))}"' for k, v in given.items())
    if tag in VOID:
        return Markup(f"<{tag}{opening}>")
    return Markup(f"<{tag}{opening}>{joined(*content)}</{tag}>")


def joined(*content: str, between: str = "") -> Markup:
    """Return markup in a row; any other text is escaped."""
    return Markup(between.join(x if isinstance(x, Markup) else escape(x, quote=False) for x in content))

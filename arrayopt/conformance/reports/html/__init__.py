"""HTML: reports as one page that needs nothing else."""

from arrayopt.conformance.reports.html.page import page

__all__ = ["page"]

"""Scripts: an optimizer made and stepped in its own API, as lines of Python that know nothing of arrayopt."""

from arrayopt.conformance.reports.scripts.imports import UnwritableError
from arrayopt.conformance.reports.scripts.writing import Literals, Script, script_of

__all__ = ["Literals", "Script", "UnwritableError", "script_of"]

"""Where claims are from: the articles by number of their archive, and the literature on second-order methods."""

from collections.abc import Mapping

BLOG = "https://kexue.fm/archives"
ARTICLES: Mapping[int, tuple[int, str]] = {
    1: (9902, "the average loss of SGD"),
    2: (7737, "policy gradients and zeroth-order optimisation"),
    3: (7521, "optimisation as sampling"),
    6: (10588, "adaptive rates as approximations of the Hessian"),
    7: (10592, "Muon"),
    9: (9931, "local and global cosines"),
    10: (9070, "inequalities of logsumexp"),
    11: (8796, "gradients by inputs and by parameters"),
    12: (3630, "a variational principle for integrals"),
    13: (3256, "the limit of a sum of powers"),
    14: (3194, "dominated convergence"),
    16: (9344, "schedules from the idea of Amos"),
    17: (8833, "SquarePlus"),
    18: (8770, "masked language models as dropout"),
    19: (8747, "why BERT starts with a deviation of 0.02; archive 8620 on initialisation"),
    20: (8728, "classification with alternating normalisation"),
    21: (8718, "smooth approximations by mollifiers"),
    22: (8679, "the lemma of Johnson and Lindenstrauss; archive 7076 on angles"),
    23: (8706, "its applications; archives 7695 and 8711 on the dimension of embeddings"),
    24: (9473, "Lion"),
    25: (9512, "Tiger"),
    26: (8634, "gradient accumulation hidden in momentum"),
    27: (7094, "what can be derived from any optimizer"),
}
"""Section of the documents -> number of the post, and what it is about. Missing ones come with their methods."""

_BOOK = "Nocedal and Wright, Numerical Optimization, 2006"
LITERATURE: Mapping[int, str] = {
    **dict.fromkeys((1, 2, 3, 9), f"{_BOOK}, chapter 5"),
    4: "Hestenes and Stiefel, Methods of conjugate gradients, 1952",
    **dict.fromkeys((5, 6, 12, 13, 14, 22), f"{_BOOK}, chapter 6"),
    7: "Dixon, Quasi-Newton algorithms generate identical points, 1972",
    **dict.fromkeys((8, 10), f"{_BOOK}, chapter 7"),
    11: "Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices, 1994",
    15: "Powell, A fast algorithm for nonlinearly constrained optimization, 1978",
    16: "Hager and Zhang, A new conjugate gradient method, 2005",
    17: "Dai and Yuan, A nonlinear conjugate gradient method, 1999",
    **dict.fromkeys((18, 19, 21), f"{_BOOK}, chapter 3"),
    20: "Drori and Teboulle, Performance of first-order methods, 2014; Nesterov, Introductory lectures, 2004",
    23: "McCullagh and Nelder, Generalized linear models, 1989",
    24: "Dennis and Schnabel, Numerical methods for unconstrained optimization, 1983",
    27: "Moré and Sorensen, Computing a trust region step, 1983",
    28: "Steihaug, The conjugate gradient method and trust regions, 1983; Yuan, On the truncated method, 2000",
    29: f"Zoutendijk, Nonlinear programming, 1970; {_BOOK}, chapter 3",
    30: "Zinkevich, Online convex programming, 2003",
    31: "Byrd, Lu, Nocedal and Zhu, A limited memory algorithm for bound constrained optimization, 1995",
    **dict.fromkeys((25, 26, 32), "a property of floating-point runs, stated here"),
}
"""Number of a statement on second-order methods -> where it, or what it is about, is to be read."""


def article(section: int) -> str:
    """Return the source of a claim from a section.

    Examples
    --------
    >>> article(10)
    'archive 9070 (section 10)'
    """
    return f"archive {ARTICLES[section][0]} (section {section})"


def second_order(number: int) -> str:
    """Return the source of a statement on second-order methods.

    Examples
    --------
    >>> second_order(30)
    'Zinkevich, Online convex programming, 2003 (second order, 30)'
    """
    return f"{LITERATURE[number]} (second order, {number})"

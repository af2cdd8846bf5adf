"""The names of the package, which load when they are asked for."""

import subprocess
import sys

import pytest

import arrayopt
from arrayopt import firstorder


def test_every_rule_and_wrapper_is_a_name_of_the_package():
    assert {*firstorder.__all__, "Rule", "State", "inplace", "use", "OptionError"} <= set(arrayopt.__all__)
    assert all(getattr(arrayopt, name) is getattr(firstorder, name) for name in firstorder.__all__)
    assert set(arrayopt.__all__) <= set(dir(arrayopt))


def test_schedules_and_subpackages_are_names_too():
    code = "import arrayopt; print(arrayopt.WarmupDecay(1.0, 2, 4)(1), arrayopt.conformance.check.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.5", "check"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'arrayopt' has no attribute 'Adamm'"):
        arrayopt.Adamm  # noqa: B018


def test_all_names_can_be_imported_at_once():
    code = "from arrayopt import *; print(Adam().lr, Partition.__name__, State().t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.001", "Partition", "0"]

"""The command line, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CANDIDATES = ROOT / "validation" / "candidates"


def arrayopt(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "arrayopt", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_version():
    assert arrayopt("--version").strip().count(".") == 2


def test_list_names_every_rule_in_plain_text_when_piped():
    text = arrayopt("list")
    assert "adamw" in text
    assert "\x1b" not in text


def test_explain_prints_formula_dialects_speakers_state_and_cost():
    text = arrayopt("explain", "AdamW")
    for part in (
        "p_t = p_{t-1} - lr weight_decay p_{t-1} - lr u_t",
        "eps_place",
        "hat (keras",
        "m, v: 2 numbers",
        "28 bytes",
    ):
        assert part in text
    assert r"\frac" in arrayopt("explain", "adamw", "--latex")


def test_explain_of_no_rule_names_the_rules():
    assert "no rule 'adamx'; the rules are sgd, momentum" in arrayopt("explain", "adamx", code=2)


def test_check_of_a_port_prints_the_report_and_writes_json(tmp_path):
    text = arrayopt("check", str(CANDIDATES / "adam_rl.py"), "--json", str(tmp_path / "r.json"))
    assert "dialect" in text
    assert "eps_place='hat'" in text
    assert "spoken by     keras" in text
    data = json.loads((tmp_path / "r.json").read_text())
    assert (data["schema"], data["reports"][0]["verdict"]) == (2, "dialect")


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("validation/candidates/adam_swapped.py", 1, "differs"),
        ("validation/candidates/none.py", 2, "none.py"),
        ("no_such_module:Adam", 2, "no_such_module"),
        ("sklearn.neural_network._stochastic_optimizers:AdamOptimizer", 0, "conforms|dialect"),
    ],
)
def test_the_exit_code_is_that_of_the_verdict(target, code, said):
    if target.startswith("sklearn"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    text = arrayopt("check", target, code=code)
    assert any(word in text for word in said.split("|"))


def test_check_against_another_rule():
    assert "against RMSProp: differs" in arrayopt(
        "check", str(CANDIDATES / "adam_rl.py"), "--against", "rmsprop", code=1
    )


def test_the_worst_target_decides():
    rl, swapped = (str(CANDIDATES / f"adam_{x}.py") for x in ("rl", "swapped"))
    text = arrayopt("check", rl, swapped, code=1)
    assert "adam_rl.py against Adam: dialect" in text
    assert "adam_swapped.py against Adam: differs" in text


def test_claims_prints_a_table_and_the_count():
    text = arrayopt("claims", "cosines")
    assert "cosines.between" in text
    assert ", 0 not as expected" in text


def test_claims_of_no_topic_names_the_topics():
    assert "no id matches 'cosine.x'; the topics are accumulation" in arrayopt("claims", "cosine.x", code=2)

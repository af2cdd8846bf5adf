"""Results as plain data."""

import json

import numpy as np

from arrayopt import Adam
from arrayopt.core.results import plain, write_json


def test_what_json_lacks_becomes_a_string(tmp_path):
    data = {"rule": Adam(lr=0.5), "worst": float("nan"), "shape": (2, 3), "who": np.float32(0.5), 3: None}
    write_json(tmp_path / "r.json", data)
    again = json.loads((tmp_path / "r.json").read_text())
    assert again["rule"]["type"] == "Adam"
    assert (again["rule"]["lr"], again["worst"], again["shape"], again["3"]) == (0.5, "nan", [2, 3], None)
    assert plain(again) == again

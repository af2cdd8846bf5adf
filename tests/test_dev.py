"""scripts/dev.py: what it decides, with no network and no environment made."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "scripts" / "dev.py"
MODULES = {"venv", "ensurepip", "virtualenv", "pip"}


@pytest.fixture
def dev(monkeypatch, tmp_path):
    """A copy of the module that takes an empty directory for the repository."""
    spec = importlib.util.spec_from_file_location("dev", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "PYTHON", venv / module.PYTHON.relative_to(ROOT / ".venv"))
    monkeypatch.setattr(module, "STAMP", venv / "dev-stamp.json")
    monkeypatch.setattr(module, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(module, "PEERS", tmp_path / "requirements.txt")
    module.PYPROJECT.write_text('[dependency-groups]\nlight-peers = ["a"]\ntest = ["b"]\ndev = ["c"]\n')
    module.PEERS.write_text("torch==2\n")
    return module


@pytest.fixture
def installed(dev, monkeypatch):
    """The commands that would have installed something; nothing is run."""
    dev.VENV.mkdir()
    commands = []
    monkeypatch.setattr(dev, "probe", lambda: "3.13.1")
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    monkeypatch.setattr(dev, "attempt", lambda given: commands.extend(given) or "")
    return commands


def finder(*names):
    """Stand in for shutil.which on a machine with these commands."""
    return lambda name: f"bin/{name}" if name in names else None


class TestStandardLibraryOnly:
    def test_parses_on_an_old_python(self):
        ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 9))

    def test_imports_the_standard_library_alone(self):
        found = set()
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
        assert found <= sys.stdlib_module_names

    def test_tomllib_is_not_imported_where_an_old_python_would_fail(self):
        top = ast.parse(SOURCE.read_text(encoding="utf-8")).body
        names = [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
        assert "tomllib" not in names


class TestCommandLine:
    @pytest.mark.parametrize(
        ("argv", "expected"),
        [
            (["check"], ("check", False, [])),
            (["check", "--peers"], ("check", True, [])),
            (["check", "--peers", "--", "--json", "out"], ("check", True, ["--json", "out"])),
            (["test"], ("test", False, [])),
            (["test", "--peers", "tests/peers"], ("test", True, ["tests/peers"])),
            (["test", "-k", "adam", "--peers", "-x"], ("test", True, ["-k", "adam", "-x"])),
            (["test", "--", "--peers"], ("test", False, ["--peers"])),
            (["lint"], ("lint", False, [])),
        ],
    )
    def test_understood(self, dev, argv, expected):
        assert dev.parse(argv) == expected

    @pytest.mark.parametrize(
        "argv", [[], ["tset"], ["check", "--json", "out"], ["lint", "--peers"], ["lint", "--", "x"]]
    )
    def test_not_understood(self, dev, argv):
        with pytest.raises(dev.Stop, match=r"does not understand(.|\n)*usage"):
            dev.parse(argv)

    def test_help(self):
        done = subprocess.run([sys.executable, SOURCE, "--help"], capture_output=True, text=True, check=True)
        assert "usage: python3 scripts/dev.py check" in done.stdout

    def test_errors_go_to_stderr_without_a_traceback(self):
        done = subprocess.run([sys.executable, SOURCE, "tset"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("dev.py does not understand: tset")

    def test_arguments_of_the_user_come_last_and_so_win(self, dev):
        (command,) = dev.jobs("test", ["-n", "0"])
        assert command[1:5] == ["-m", "pytest", "-n", "auto"]
        assert command[-2:] == ["-n", "0"]

    def test_check_runs_the_examples(self, dev):
        assert dev.jobs("check", ["x"]) == [[str(dev.PYTHON), "-m", "validation.examples", "x"]]

    def test_every_linter_runs_and_one_failure_is_enough(self, dev):
        ran = []
        codes = {0: 0, 1: 3, 2: 0, 3: 1}
        assert dev.worst(ran.append(i) or codes[i] for i in codes) == 3
        assert ran == [0, 1, 2, 3]
        assert dev.worst([0, 0]) == 0


class TestOldPython:
    def test_names_a_newer_one(self, dev):
        text = dev.too_old((3, 9, 2, "final", 0), ["test", "-k", "a b"], finder("python3.12", "uv"))
        assert "3.11 or later" in text
        assert "3.9.2." in text
        assert text.endswith("Type: python3.12 scripts/dev.py test -k 'a b'")

    def test_lets_uv_find_one(self, dev):
        text = dev.too_old((3, 9, 2), ["test"], finder("uv"))
        assert text.endswith("Type: uv run --no-project --python 3.13 scripts/dev.py test")

    def test_says_so_where_there_is_none(self, dev):
        assert dev.too_old((3, 9, 2), [], finder()).endswith("Start it with a newer one.")

    def test_nothing_is_set_up(self, dev, monkeypatch, capsys):
        monkeypatch.setattr(dev.sys, "version_info", (3, 10, 1))
        assert dev.main(["test"]) == 2
        assert "this is Python 3.10.1" in capsys.readouterr().err
        assert not dev.VENV.exists()


class TestWays:
    @pytest.mark.parametrize(
        ("modules", "commands", "expected"),
        [
            (MODULES, ["uv", "pip3"], ["uv", "ensurepip", "virtualenv", "pip"]),
            (MODULES, [], ["ensurepip", "virtualenv", "pip"]),
            # Debian without python3-venv
            ({"venv", "pip"}, [], ["pip"]),
            ({"venv"}, ["pip3"], ["pip"]),
            ({"venv"}, ["virtualenv"], ["virtualenv"]),
            ({"venv"}, ["uv"], ["uv"]),
            ({"venv"}, [], []),
            # ensurepip and pip have nothing to put a pip into
            ({"ensurepip", "pip"}, ["pip"], []),
        ],
    )
    def test_order(self, dev, modules, commands, expected):
        assert [way.name for way in dev.ways(modules.__contains__, finder(*commands))] == expected

    def test_uv_leaves_a_pip_for_the_peers(self, dev):
        (way,) = dev.ways(set().__contains__, finder("uv"))
        assert way.commands[0][:3] == ["bin/uv", "venv", "--seed"]

    def test_an_existing_pip_fills_a_bare_environment(self, dev):
        (way,) = dev.ways({"venv"}.__contains__, finder("pip", "pip3"))
        bare, fill = way.commands
        assert bare[1:] == ["-m", "venv", "--without-pip", str(dev.VENV)]
        assert fill[:2] == ["bin/pip3", "install"]
        target = Path(fill[fill.index("--target") + 1])
        assert target.name == "site-packages"
        assert dev.VENV in target.parents

    def test_peers_are_installed_by_pip(self, dev):
        def tools(peers, which):
            return [Path(command[0]).name for command in dev.installers(peers, which)]

        python = dev.PYTHON.name
        assert tools(False, finder("uv")) == ["uv", python]
        assert tools(True, finder("uv")) == [python]
        assert tools(False, finder()) == [python]


class TestEnvironment:
    @pytest.fixture
    def machine(self, dev, monkeypatch):
        """Set which ways there are, and which of them works; return the names of those tried."""
        tried = []

        def set_up(names, works=None):
            monkeypatch.setattr(dev, "ways", lambda *_: [dev.Way(name, [[name]]) for name in names])
            monkeypatch.setattr(dev, "attempt", attempt)
            monkeypatch.setattr(dev, "probe", lambda: "3.13.1" if tried[-1:] == [works] else "")
            return tried

        def attempt(commands):
            tried.append(commands[0][0])
            dev.VENV.mkdir()
            return ""

        return set_up

    def test_a_good_one_is_kept(self, dev, monkeypatch):
        monkeypatch.setattr(dev, "probe", lambda: "3.13.1")
        assert dev.environment() == "3.13.1"

    def test_the_next_way_follows_one_that_fails(self, dev, machine):
        tried = machine(["uv", "ensurepip", "pip"], works="ensurepip")
        assert dev.environment() == "3.13.1"
        assert tried == ["uv", "ensurepip"]

    @pytest.mark.parametrize("left", ["directory", "file", "link"])
    def test_a_broken_one_is_made_anew(self, dev, machine, capsys, left):
        if left == "directory":
            (dev.VENV / "bin").mkdir(parents=True)
        elif left == "file":
            dev.VENV.write_text("")
        else:
            dev.VENV.symlink_to("nowhere")
        machine(["ensurepip"], works="ensurepip")
        dev.environment()
        assert "making it anew" in capsys.readouterr().out
        assert not (dev.VENV / "bin").exists()

    def test_with_nothing_to_start_from_it_prints_the_line_to_type(self, dev, machine, monkeypatch):
        machine([])
        monkeypatch.setattr(dev, "remedy", lambda which: "THE LINE")
        with pytest.raises(dev.Stop, match=r"no uv, ensurepip, virtualenv or pip(.|\n)*\n    THE LINE\n"):
            dev.environment()

    def test_when_all_fail_it_says_how_and_leaves_nothing(self, dev, machine, monkeypatch):
        machine(["uv", "pip"])
        monkeypatch.setattr(dev, "attempt", lambda commands: f"failed: {commands[0][0]}")
        with pytest.raises(dev.Stop, match=r"failed: uv\nfailed: pip\n\.venv could not be made"):
            dev.environment()
        assert not dev.VENV.exists()

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no root")
    @pytest.mark.parametrize(("user", "expected"), [(0, "apt-get"), (1000, "sudo apt-get")])
    def test_the_line_on_debian(self, dev, monkeypatch, user, expected):
        monkeypatch.setattr(dev.os, "geteuid", lambda: user)
        minor = sys.version_info.minor
        assert dev.remedy(finder("apt-get")) == f"{expected} install python3.{minor}-venv"

    def test_the_line_elsewhere(self, dev):
        assert "uv/install" in dev.remedy(finder())

    def test_the_running_python_is_no_environment_for_this_repository(self, dev):
        assert dev.probe() == ""

    def test_a_directory_that_only_looks_like_one_is_not_used(self, dev, monkeypatch):
        # Half made: the link to the system's Python is there, what makes it an environment is not.
        monkeypatch.setattr(dev, "PYTHON", Path(getattr(sys, "_base_executable", sys.executable)))
        assert dev.probe() == ""


class TestStamp:
    def test_installs_once(self, dev, installed):
        dev.prepare("test", peers=False)
        (command,) = installed
        assert command[:4] == [str(dev.PYTHON), "-m", "pip", "install"]
        assert command[-3:] == ["--editable", str(dev.ROOT), "b"]
        dev.prepare("test", peers=False)
        assert len(installed) == 1

    def test_commands_share_the_environment(self, dev, installed):
        dev.prepare("test", peers=True)
        assert installed[0][-3:] == ["b", "--requirement", str(dev.PEERS)]
        dev.prepare("check", peers=True)
        for command in ("check", "test"):
            for peers in (False, True):
                dev.prepare(command, peers)
        assert len(installed) == 2

    def test_goes_stale_with_what_it_was_made_from(self, dev, installed, monkeypatch):
        dev.prepare("test", peers=True)
        dev.PEERS.write_text("torch==3\n")
        dev.prepare("test", peers=False)
        assert len(installed) == 1
        dev.prepare("test", peers=True)
        assert len(installed) == 2
        dev.PYPROJECT.write_text(dev.PYPROJECT.read_text().replace('"b"', '"d"'))
        dev.prepare("test", peers=False)
        assert installed[2][-1] == "d"
        monkeypatch.setattr(dev, "probe", lambda: "3.14.0")
        dev.prepare("test", peers=False)
        assert len(installed) == 4

    def test_a_failure_is_told_and_leaves_no_stamp(self, dev, installed, monkeypatch):
        monkeypatch.setattr(dev, "attempt", lambda commands: "failed: pip\n  no network")
        with pytest.raises(dev.Stop, match="failed: pip\n  no network"):
            dev.prepare("test", peers=False)
        assert not dev.STAMP.exists()

    def test_uv_that_fails_gives_way_to_pip(self, dev, installed, monkeypatch):
        monkeypatch.setattr(dev.shutil, "which", finder("uv"))
        used = []
        monkeypatch.setattr(dev, "attempt", lambda given: used.append(given[0][0]) or ("no" * (len(used) == 1)))
        dev.prepare("test", peers=False)
        assert used == ["bin/uv", str(dev.PYTHON)]

    @pytest.mark.parametrize("text", [None, "", '{"test": "12', "[]"])
    def test_one_that_cannot_be_read_counts_as_none(self, dev, tmp_path, text):
        path = tmp_path / "stamp"
        if text is not None:
            path.write_text(text)
        assert dev.read_stamp(path) == {}

    def test_one_that_can_be_read(self, dev, tmp_path):
        path = tmp_path / "stamp"
        path.write_text(json.dumps({"test": "12"}))
        assert dev.read_stamp(path) == {"test": "12"}


class TestGroups:
    def test_included_groups(self, dev):
        groups = {"Light_Peers": ["a", "b>=1"], "test": ["c", {"include-group": "light-peers"}, "a"]}
        assert dev.expand("test", groups) == ["c", "a", "b>=1"]

    def test_twice_is_no_circle(self, dev):
        groups = {
            "a": ["x"],
            "b": [{"include-group": "a"}],
            "c": [{"include-group": "a"}, {"include-group": "b"}],
        }
        assert dev.expand("c", groups) == ["x"]

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ({"other": []}, "no dependency group 'test'; it has other"),
            ({"test": [{"include-group": "test"}]}, "include each other: test -> test"),
            ({"test": [{"include": "x"}]}, "an entry not known here"),
        ],
    )
    def test_wrong_ones(self, dev, groups, message):
        with pytest.raises(dev.Stop, match=message):
            dev.expand("test", groups)

    def test_those_of_this_project(self, dev):
        groups = dev.dependency_groups(ROOT / "pyproject.toml")
        for group in dev.GROUPS.values():
            assert dev.expand(group, groups)
        assert set(dev.expand("light-peers", groups)) <= set(dev.expand("test", groups))

    def test_a_broken_file(self, dev):
        dev.PYPROJECT.write_text("[")
        with pytest.raises(dev.Stop, match=r"pyproject\.toml is not valid TOML"):
            dev.dependency_groups(dev.PYPROJECT)


class TestAttempt:
    def test_success_is_quiet(self, dev, capfd):
        assert dev.attempt([[sys.executable, "-c", "print(1)"]]) == ""
        assert capfd.readouterr() == ("", "")

    def test_failure_names_the_command_and_its_last_lines(self, dev):
        code = "import sys; print(*range(100), sep='\\n'); sys.exit('the end')"
        text = dev.attempt([[sys.executable, "-c", "pass"], [sys.executable, "-c", code], ["never run"]])
        assert text.startswith("failed (exit code 1): ")
        assert text.endswith("the end")
        assert len(text.splitlines()) == 1 + dev.LAST_LINES

    def test_a_command_that_is_not_there(self, dev):
        assert dev.attempt([["no-such-command"]]).startswith("failed: no-such-command\n")

    def test_settings_that_redirect_an_installation_are_left_out(self, dev, monkeypatch):
        monkeypatch.setenv("PIP_TARGET", "elsewhere")
        code = "import os, sys; sys.exit('PIP_TARGET' in os.environ)"
        assert dev.attempt([[sys.executable, "-c", code]]) == ""

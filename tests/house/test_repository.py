"""The repository itself: style, the promises of its README files, locked versions."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hwgen.config import load, shipped_names
from hwgen.errors import UserError

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess:
    """Call make as a user would, in the repository."""
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(arguments):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", "--output-format=concise", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_make_shows_help_and_runs_nothing():
    result = make()
    assert result.returncode == 0
    for target in ("verilog", "test", "help"):
        assert re.search(rf"^make {target} +\S", result.stdout, re.MULTILINE)


def test_every_target_that_a_user_may_type_is_in_the_help():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    documented = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(documented)


def test_a_setting_with_quotes_reaches_the_command_as_it_was_typed():
    result = make("-n", "verilog", "CONFIG=my file.toml", "SET=description='it is' array.lanes=8")
    assert "verilog 'my file.toml' --set 'description='\\''it is'\\'' array.lanes=8'" in (
        result.stdout
    )


@pytest.mark.parametrize("python", ["none-such", "false"])
def test_a_python_that_is_of_no_use_is_named(tmp_path, python):
    result = make("configs", f"VENV={tmp_path}/venv", f"PYTHON={python}")
    assert result.returncode != 0
    assert f"set-up: PYTHON must be 3.11 or newer, not {python}" in result.stderr


def test_every_requirement_is_locked_and_its_locked_version_allowed():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            locked[canonicalize_name(name)] = version
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name != "hwgen":
            assert locked[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_the_lock_names_no_build_of_torch():
    lock = (ROOT / "constraints.txt").read_text()
    assert "torch==2.13.0\n" in lock
    assert "+" not in lock.replace("+cpu, +cu", "")
    assert "nvidia" not in lock


class TestReadme:
    README = (ROOT / "README.md").read_text()

    def test_names_the_shipped_configurations(self):
        table = self.README.partition("## Configurations")[2].partition("\n## ")[0]
        assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == shipped_names()

    def test_its_configuration_loads(self, tmp_path):
        path = tmp_path / "readme.toml"
        path.write_text(re.search(r"```toml\n(.*?)```", self.README, re.DOTALL)[1])
        assert load(path).array.engines == 4

    def test_its_mistake_is_the_one_that_is_shown(self):
        name, setting, expected = re.search(
            r'CONFIG=(\w+) SET="(.*?=7)"\nhwgen: (.*)\n', self.README
        ).groups()
        with pytest.raises(UserError) as caught:
            load(name, [setting])
        assert str(caught.value) == expected

    def test_its_targets_exist(self):
        makefile = (ROOT / "Makefile").read_text()
        for target in re.findall(r"^\$ make ([\w-]+)", self.README, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

    @pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
    def test_links_of_every_page_lead_somewhere(self, page):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), target

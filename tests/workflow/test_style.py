"""Formatting, types and lint are tests too."""

import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.sources import ROOT, imported_modules, sources
from workflow.lock import pinned, pins, ranges
from workflow.reference import MARKER, settings_page, stages, with_shown_sections

COMMANDS = {
    "ruff-check": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "snakefmt": ["snakefmt", "--check", "workflow"],
    "snakemake-lint": ["snakemake", "--lint"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_code_is_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_is_defined() -> None:
    """Neither ruff nor mypy is asked for undefined names: to both, jaxtyping's shape strings are full of them."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "json", "."]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)
    undefined = [
        f"{each['filename']}:{each['location']['row']} {each['message']}" for each in found if not quoted(each)
    ]
    assert found and not undefined, "\n".join(undefined)


def quoted(found: dict) -> bool:
    """Whether what ruff found is in a string."""
    place = (found["location"]["row"], found["location"]["column"] - 1)
    tokens = tokenize.generate_tokens(io.StringIO(Path(found["filename"]).read_text()).readline)
    return any(token.type == tokenize.STRING and token.start <= place < token.end for token in tokens)


def test_hooks_before_a_commit_are_these_commands() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["id"]: hook["entry"].split() for hook in local["hooks"]} == {
        name: ["python", "-m", *command] for name, command in COMMANDS.items()
    }
    for hook in local["hooks"]:
        assert hook["language"] == "system" and hook["always_run"] and not hook["pass_filenames"]


def test_config_yaml_shows_what_is_changed_most_with_its_default() -> None:
    text = (ROOT / "config.yaml").read_text()
    assert with_shown_sections(text) == text, "run `make config`"


def test_settings_page_is_current_and_names_every_setting() -> None:
    page = (ROOT / "docs/SETTINGS.md").read_text()
    assert page == settings_page(), "run `make config`"
    for name, section in stages().items():
        part = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert all(re.search(rf"^\| \**{key}\b", part, re.M) for key in section.model_fields), name


def test_settings_of_config_yaml_are_valid_once_their_comment_sign_is_gone() -> None:
    text = (ROOT / "config.yaml").read_text()
    head, sections = text.split(MARKER)
    values = yaml.safe_load(head + re.sub(r"^  # (?=[a-z_]+:)", "  ", sections, flags=re.M))
    set_here = {name: section for name, section in values.items() if name in stages()}
    assert 15 <= sum(map(len, set_here.values())) <= 25
    for name, section in set_here.items():
        assert stages()[name].model_validate(section) == stages()[name](), name


def test_environments_have_the_locked_versions() -> None:
    lock = {line.split(" ;")[0].strip() for line in (ROOT / "requirements.lock").read_text().splitlines()}
    environments = list((ROOT / "envs").glob("*.yaml"))
    pins = [line.strip("- ") for path in environments for line in path.read_text().splitlines() if "==" in line]
    assert len(environments) >= 2 and pins and not set(pins) - lock


MODULES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "jinja2": "Jinja2",
    "markupsafe": "Jinja2",
    "pydantic_core": "pydantic",
    "segment_anything": "segment-anything",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
}
EXTRAS = {"transformers"}  # asked for where they are wanted, and told where they are absent


def libraries(module: str) -> set[str]:
    """The packages that a module of ours and all that it imports of ours need."""
    found = {name.split(".")[0] for path in sources(module) for name in imported_modules(ROOT / path)}
    return {MODULES.get(name, name) for name in found - sys.stdlib_module_names - {"pipeline", "models"} - EXTRAS}


def test_every_rules_environment_has_what_its_stage_imports() -> None:
    missing = []
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]:
            module, environment = re.search(r"-m (pipeline\.\w+)", block), re.search(r"envs/(\w+\.yaml)", block)
            assert module and environment, block[:40]
            held = (ROOT / "envs" / environment[1]).read_text()
            lacks = {name for name in libraries(module[1]) if f"- {name}==" not in held}
            missing += [f"{module[1]} in {environment[1]}: {', '.join(sorted(lacks))}"] if lacks else []
    assert not missing, "\n".join(missing)


def canonical_name(requirement: str) -> str:
    """The package that a requirement asks for: case, `-` and `_` make no difference to pip."""
    return re.split(r"[=<>\[; ]", requirement)[0].lower().replace("_", "-")


def test_lock_holds_every_requirement_and_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()[1:]
    names = {canonical_name(line) for line in lines}
    wanted = {canonical_name(requirement) for requirement in ranges(ROOT / "pyproject.toml")}
    assert not wanted - names and not [line for line in lines if "://" in line or "@" in line]


def test_lock_of_slurm_holds_its_plugin_and_nothing_that_the_other_has() -> None:
    lines, base = (
        (ROOT / name).read_text().splitlines()[1:] for name in ("requirements-slurm.lock", "requirements.lock")
    )
    names = {canonical_name(line) for line in lines}
    assert {canonical_name(requirement) for requirement in ranges(ROOT / "pyproject.toml", "slurm")} <= names
    assert not names & {canonical_name(line) for line in base}
    frozen = [line.split(" ;")[0] for line in base]
    assert pins([*frozen, *lines], base) == lines
    with pytest.raises(ValueError, match="lock both anew"):
        pins(lines, base)


def test_lock_takes_released_packages_only() -> None:
    assert pinned("numpy==2.4.6\n") == "numpy==2.4.6"
    assert pinned("nvidia-cublas==13.1\n") == 'nvidia-cublas==13.1 ; sys_platform == "linux"'
    with pytest.raises(ValueError, match="no exact version"):
        pinned("thing @ file:///tmp/thing")

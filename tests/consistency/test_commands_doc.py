"""docs/commands.md has every command, and every `reelrank` command in the documentation parses."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.cli.named_commands import MODULES, load_command

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def list_commands() -> list[str]:
    """Commands with their groups; a group counts where it does something by itself."""
    found = list[str]()
    for name in MODULES:
        command = load_command(name)
        subcommands = vars(command).get("commands", {})
        found += [f"{name} {sub}" for sub in subcommands]
        if not subcommands or vars(command)["invoke_without_command"]:
            found.append(name)
    return found


COMMANDS = list_commands()


def find_shell_lines(page: Path) -> list[str]:
    """Lines of fenced shell blocks, and code within sentences, that call reelrank."""
    text = page.read_text()
    blocks = re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [*lines, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]


def find_calls(line: str) -> list[list[str]]:
    """The words after `reelrank`, for each call of a line such as `a && B=c reelrank d # comment`."""
    calls = list[list[str]]()
    if "reelrank " not in line:
        return calls
    for part in re.split(r"&&|;|\|", line):
        words = shlex.split(part, comments=True)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["reelrank"] and len(words) > 1:
            calls.append(words[1:])
    return calls


CALLS = [(page.name, call) for page in PAGES for line in find_shell_lines(page) for call in find_calls(line)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_command_reference(command: str) -> None:
    assert re.search(rf"`reelrank {command}\b", (ROOT / "docs" / "commands.md").read_text())


def test_the_readme_calls_the_commands_of_its_five_steps() -> None:
    called = {" ".join(call[:2]) for name, call in CALLS if name == "README.md"}
    assert {"load items", "load events", "load index", "train", "serve"} <= called


@pytest.mark.parametrize(
    ("page", "call"), CALLS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_every_call_in_the_documentation_parses(page: str, call: list[str]) -> None:
    command, options = split_call(call)
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0, result.output
    offered = set(re.findall(r"--[a-z-]+", result.output))
    assert {option.partition("=")[0] for option in options} <= offered | {"--help"}


def split_call(call: list[str]) -> tuple[list[str], list[str]]:
    """The command's own words, and the long options that follow them."""
    command = next(
        (
            known.split()
            for known in sorted(COMMANDS, key=len, reverse=True)
            if call[: len(known.split())] == known.split()
        ),
        [word for word in call[:1] if not word.startswith("--")],
    )
    return command, [word for word in call if word.startswith("--")]

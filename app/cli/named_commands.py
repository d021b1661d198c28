"""Commands by name. Only the module of the command that was called is imported: all of them take seconds."""

from importlib import import_module
from typing import Any

from typer.core import TyperGroup
from typer.main import get_group

MODULES = {
    "demo": "data",
    "doctor": "data",
    "backup": "data",
    "restore": "data",
    "load": "load",
    "train": "learn",
    "evaluate": "learn",
    "exploration": "learn",
    "experiments": "experiments.reporting",
    "serve": "serve",
    "search": "ask",
    "recommend": "ask",
    "similar": "ask",
    "simulate": "traffic.simulate",
    "events": "traffic.events",
    "lake": "served.lake",
    "skew": "served.skew",
    "blame": "served.blame",
    "requests": "served.requests",
    "loop": "loop.commands",
    "drift": "loop.drift",
    "lab": "lab.commands",
    "capacity": "traffic.capacity",
    "features": "registry",
    "models": "registry",
    "promote": "registry",
    "releases": "releases",
    "index": "releases",
    "keys": "access.keys",
    "users": "access.users",
    "migrate": "cluster",
    "kibana": "cluster",
}
"""Each command or group of commands, in the order of the help, and its module in this package.

A module has its commands in `app`, and each group of commands in a Typer of its own, named `<group>_app`, or
`app` where the group is all that it has.
"""


class NamedCommands(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_command(cmd_name) if cmd_name in MODULES else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in MODULES:
            self.commands = {name: load_command(name) for name in MODULES}  # the error suggests one of them
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Any:
    """Imports a command, or a group of commands. Raises KeyError for a name that is not in MODULES."""
    module = import_module(f"reelrank.app.cli.{MODULES[name]}")
    group = get_group(getattr(module, f"{name}_app", module.app))
    group.name = name
    return group.commands.get(name, group)

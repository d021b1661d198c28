"""Commands about releases and index versions. Index version and model always change together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Column, Table

from reelrank.app.cli.console import fail, out, print_json
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_release_manager
from reelrank.index_mappings.errors import Conflict, NotFound
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.releases import Pointer, Release, find_release

app = typer.Typer(
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="List and show releases, promote one or roll back: index version and model together.",
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("list", epilog="Example: `reelrank releases list --json`")
def list_releases(as_json: AsJson = False) -> None:
    """List the releases that can be promoted, newest first, and say which one serves."""
    with fail_on_refusal():
        releases = build_release_manager(build_container(Settings()))
        pointer, listed = releases.settle(), releases.list_releases()
    if as_json:
        print_json([_describe(release, pointer) for release in listed])
        return
    table = Table(
        Column("release", no_wrap=True), Column("index version\nmodel", overflow="fold"), "", box=None
    )
    for release in listed:
        pair = f"{release.index_version}\n{release.model}" if release.index_version else release.model
        table.add_row(release.id, pair, _describe_state(release, pointer))
    out.print(table)


@app.command(epilog="Example: `reelrank releases show release-20261127T032130-ab12`")
def show(release_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Print one release as JSON: index version, model, embeddings, settings and the hashes of its files."""
    with fail_on_refusal():
        releases = build_release_manager(build_container(Settings()))
        pointer = releases.settle()
        release = find_release(releases.list_releases(), release_id)
    print_json(_describe(release, pointer))


@app.command(epilog="Example: `reelrank releases promote release-20261127T032130-ab12`")
def promote(release_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make a release serve. One whose model does not fit is refused, and the old one serves on."""
    with fail_on_refusal():
        release = build_release_manager(build_container(Settings())).promote_release(release_id)
    print_serving(release)


@app.command(epilog="Example: `reelrank releases rollback`")
def rollback() -> None:
    """Go back to the release that served before. A second rollback undoes the first."""
    with fail_on_refusal():
        release = build_release_manager(build_container(Settings())).rollback()
    print_serving(release)


@contextmanager
def fail_on_refusal() -> Iterator[None]:
    """Ends the command with exit code 1 and the reason when a promotion is refused."""
    try:
        yield
    except (ModelRejected, NotFound, Conflict) as error:
        fail(error)


def print_serving(release: Release) -> None:
    over = f" over {release.index_version}" if release.index_version else ""
    out.print(f"{release.model} serves{over}, as {release.id}", markup=False, soft_wrap=True)


def _describe(release: Release, pointer: Pointer | None) -> dict[str, object]:
    return {**release.model_dump(mode="json"), "state": _describe_state(release, pointer)}


def _describe_state(release: Release, pointer: Pointer | None) -> str:
    if pointer is None:
        return ""
    if release.id == pointer.serving.id:
        return "serving"
    return "previous" if pointer.previous is not None and release.id == pointer.previous.id else ""


index_app = typer.Typer(
    rich_markup_mode="markdown", no_args_is_help=True, help="List index versions, promote or drop one."
)


@index_app.command("list", epilog="Example: `reelrank index list --json`")
def list_versions(as_json: AsJson = False) -> None:
    """List the index versions, newest first, and say which one serves."""
    versions = build_container(Settings()).engine.versions()
    if as_json:
        rows = [
            {"version": v.name, "created_at": v.created_at, "documents": v.documents, "serving": v.serving}
            for v in versions
        ]
        print_json(rows)
        return
    table = Table("version", "made", "documents", "", box=None)
    for version in versions:
        made = f"{version.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(version.name, made, str(version.documents), "serving" if version.serving else "")
    out.print(table)


@index_app.command("promote", epilog="Example: `reelrank index promote items-1a2b3c4d-20261124T164500`")
def promote_version(version: str) -> None:
    """Make an index version serve, with its model; also completes a promotion that was stopped."""
    with fail_on_refusal():
        release = build_release_manager(build_container(Settings())).promote_version(version, "index promote")
    print_serving(release)


@index_app.command("drop", epilog="Example: `reelrank index drop items-1a2b3c4d-20261124T164500`")
def drop_version(version: str) -> None:
    """Remove an index version and its releases. Those that serve now or served before are refused."""
    with fail_on_refusal():
        build_release_manager(build_container(Settings())).drop_version(version)
    out.print(f"{version} is dropped", markup=False, soft_wrap=True)

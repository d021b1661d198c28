"""Commands about releases and index versions. Index version and model always change together."""

from typing import Annotated

import typer
from rich.table import Column, Table

from reelrank.app.cli.console import AsJson, out, print_json, print_plain
from reelrank.app.release.record import read_release_record
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_release_manager
from reelrank.ranking.registry.decisions import Decision, FileHistory
from reelrank.ranking.registry.releases import Release, describe_state

app = typer.Typer(
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="List and show releases, promote one or roll back: index version and model together.",
)
ReleaseId = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list", epilog="Example: `reelrank releases list --json`")
def list_releases(as_json: AsJson = False) -> None:
    """List the releases that can be promoted, newest first, and say which one serves."""
    releases = build_release_manager(build_container(Settings()))
    pointer, listed = releases.settle(), releases.list_releases()
    if as_json:
        print_json([one.model_dump(mode="json") | {"state": describe_state(one, pointer)} for one in listed])
        return
    table = Table(
        Column("release", no_wrap=True), Column("index version\nmodel", overflow="fold"), "", box=None
    )
    for release in listed:
        pair = f"{release.index_version}\n{release.model}" if release.index_version else release.model
        table.add_row(release.id, pair, describe_state(release, pointer))
    out.print(table)


@app.command(epilog="Example: `reelrank releases show release-20261127T032130-ab12`")
def show(release_id: ReleaseId, as_json: AsJson = False) -> None:
    """Print one release: its parts, settings and file hashes, and each decision about it with its checks."""
    releases = build_release_manager(build_container(Settings()))
    releases.settle()
    record = read_release_record(releases, read_history(), release_id)
    parts = record.release.model_dump(mode="json") if record.release else {"id": release_id}
    release = parts | {"state": record.state}
    if as_json:
        print_json(release | {"decisions": [one.model_dump(mode="json") for one in record.decisions]})
        return
    for name, value in release.items():
        out.print(f"{name:<14} {value}", markup=False, soft_wrap=True)
    for decision in record.own:
        print_decision(decision)
    if record.meanwhile:
        print_plain("while it served:")
    for decision in record.meanwhile:
        print_decision(decision, with_checks=False)


@app.command(epilog="Example: `reelrank releases history --last 20`")
def history(
    last: Annotated[int, typer.Option(min=1, help="Print the newest so many decisions.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print what the loop decided and why, oldest first: one decision for each step of each run."""
    decisions = read_history().read()[-last:]
    if as_json:
        print_json([decision.model_dump(mode="json") for decision in decisions])
        return
    if not decisions:
        print_plain("the loop has decided nothing yet; run: reelrank loop --once")
    for decision in decisions:
        print_decision(decision, with_checks=False)


def read_history() -> FileHistory:
    """Returns the decision records of this data directory."""
    return FileHistory(Settings().loop_dir)


def print_decision(decision: Decision, with_checks: bool = True) -> None:
    """Prints when, which step, what was decided and why; with its checks and figures, if asked."""
    head = f"{decision.at:%Y-%m-%d %H:%M:%S}  {decision.step:<9} {decision.outcome}"
    print_plain(f"{head}  {decision.release}\n  {decision.verdict}")
    if not with_checks:
        return
    for check in decision.checks:
        print_plain(f"  {'passed' if check.passed else 'FAILED'}  {check.name}: {check.sentence}")
    for name, value in (*decision.inputs.items(), *decision.figures.items()):
        print_plain(f"  {name}: {value:,.6g}" if isinstance(value, float) else f"  {name}: {value}")


@app.command(epilog="Example: `reelrank releases promote release-20261127T032130-ab12`")
def promote(release_id: ReleaseId, as_json: AsJson = False) -> None:
    """Make a release serve. One whose model does not fit is refused, and the old one serves on."""
    print_serving(build_release_manager(build_container(Settings())).promote_release(release_id), as_json)


@app.command(epilog="Example: `reelrank releases rollback`")
def rollback(as_json: AsJson = False) -> None:
    """Go back to the release that served before. A second rollback undoes the first."""
    print_serving(build_release_manager(build_container(Settings())).rollback(), as_json)


def print_serving(release: Release, as_json: bool) -> None:
    """Prints a release that was just promoted."""
    if as_json:
        print_json(release.model_dump(mode="json") | {"state": "serving"})
        return
    over = f" over {release.index_version}" if release.index_version else ""
    print_plain(f"{release.model} serves{over}, as {release.id}")


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
    table = Table("version", "created", "documents", "", box=None)
    for version in versions:
        created = f"{version.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(version.name, created, str(version.documents), "serving" if version.serving else "")
    out.print(table)


@index_app.command("promote", epilog="Example: `reelrank index promote items-1a2b3c4d-20261124T164500`")
def promote_version(version: str, as_json: AsJson = False) -> None:
    """Make an index version serve, with its model; also completes a promotion that was stopped."""
    releases = build_release_manager(build_container(Settings()))
    print_serving(releases.promote_version(version, "index promote"), as_json)


@index_app.command("drop", epilog="Example: `reelrank index drop items-1a2b3c4d-20261124T164500`")
def drop_version(version: str, as_json: AsJson = False) -> None:
    """Remove an index version and its releases. Those that serve now or served before are refused."""
    build_release_manager(build_container(Settings())).drop_version(version)
    if as_json:
        print_json({"dropped": version})
    else:
        print_plain(f"{version} is dropped")

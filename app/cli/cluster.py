"""Commands about a cluster: copy a project to it, and import its dashboards."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, fail, print_json, print_plain, show_progress_bars
from reelrank.app.jobs import migration
from reelrank.app.kibana.importer import ImportTarget, Product, import_objects, read_import_file
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

app = typer.Typer()


@app.command(epilog="Example: `reelrank migrate --json`")
def migrate(as_json: AsJson = False) -> None:
    """Copy catalogue, learned fields and events to the cluster. Run it again to copy later changes."""
    with show_progress_bars() as progress:
        moved = migration.migrate(build_container(Settings()), progress)
    if as_json:
        print_json(asdict(moved))
        return
    kept_text = f", {moved.kept:,} left as they were changed on the cluster" if moved.kept else ""
    print_plain(
        f"{moved.items:,} items written, {moved.deleted:,} deleted{kept_text}; {moved.version} serves"
    )
    print_plain(
        f"{moved.events:,} events copied; {moved.events_here:,} are on the embedded engine, "
        f"{moved.events_there:,} on the cluster"
    )


kibana_app = typer.Typer(
    rich_markup_mode="markdown", no_args_is_help=True, help="Dashboards for Kibana or OpenSearch Dashboards."
)


@kibana_app.command("import", epilog="Example: `reelrank kibana import`")
def import_(
    to_file: Annotated[
        Path | None, typer.Option(help="Write the objects to this file instead of importing them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import data views, saved searches and dashboards, and report the result of each."""
    settings = Settings()
    if settings.engine == "embedded":
        fail(
            "the embedded engine has no Kibana; set REELRANK_ENGINE to elasticsearch or opensearch",
            "invalid_settings",
        )
    product: Product = settings.engine
    objects = read_import_file(product, settings.engine_prefix)
    if to_file is not None:
        to_file.write_bytes(objects)
        print_json({"file": str(to_file)}) if as_json else print_plain(f"wrote {to_file}")
        return
    results = import_objects(_build_target(settings, product), objects)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            print_plain(f"{result.kind} {result.id}: {result.problem or 'imported'}")
    failed = sum(bool(result.problem) for result in results)
    if failed:
        fail(
            f"{failed} of {len(results)} objects were not imported; the reasons are above",
            "import_incomplete",
        )


def _build_target(settings: Settings, product: Product) -> ImportTarget:
    return ImportTarget(
        settings.kibana_url,
        product,
        settings.engine_username,
        settings.engine_password.get_secret_value(),
        settings.engine_api_key.get_secret_value(),
    )

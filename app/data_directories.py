"""Settings of where data lies: the data directory, its folders, and the lake."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class DataDirectories(BaseSettings):
    """The data directory and what is in it. `Settings` adds all other settings."""

    data_dir: Path = Field(
        Path("reelrank-data"), description="Directory of the index, tables, models, lake and reports."
    )
    lake_url: str = Field(
        "",
        description="Where decisions and events are stored as Parquet: a directory, or a URL such as "
        "s3://bucket/lake; empty: `lake` in the data directory.",
    )
    lake_key_file: Path | None = Field(
        None,
        description="File with the secret that makes keys of user ids in the lake, the same on all machines; "
        "None: `lake.key` in the data directory, which is created.",
    )

    rejects_keep_days: float | None = Field(
        30.0, gt=0, description="Days for which rejected rows of loads are kept; None: for ever."
    )

    @property
    def lake_location(self) -> str:
        return self.lake_url or str(self.data_dir / "lake")

    @property
    def lake_key(self) -> Path:
        return self.lake_key_file or self.data_dir / "lake.key"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def engine_dir(self) -> Path:
        return self.data_dir / "engine"

    @property
    def tables_dir(self) -> Path:
        return self.data_dir / "tables"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def releases_dir(self) -> Path:
        return self.data_dir / "releases"

    @property
    def experiments_dir(self) -> Path:
        return self.data_dir / "experiments"

    @property
    def loop_dir(self) -> Path:
        return self.data_dir / "loop"

    @property
    def loads_dir(self) -> Path:
        return self.data_dir / "loads"

    @property
    def rejects_dir(self) -> Path:
        return self.data_dir / "rejects"

    @property
    def counters_file(self) -> Path:
        return self.data_dir / "counters" / "activity"

    @property
    def training_cache_dir(self) -> Path:
        return self.data_dir / "training-cache"

    @property
    def erasures_dir(self) -> Path:
        return self.data_dir / "erasures"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / "reports"

"""Model files shared without a common disk: stored under their SHA-256 at any URL that pyarrow.fs opens.

A release names each file of its model by hash. A data directory that lacks the model fetches the files,
compares their hashes and only then puts them into its registry. Native code is never fetched.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.rankers.golden_rows import GOLDEN_FILE
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import MANIFEST_FILE, MODEL_FILE, POINTWISE_FILE, ModelRejected
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import Release

SHARED_FILES = (MANIFEST_FILE, MODEL_FILE, GOLDEN_FILE, POINTWISE_FILE)
MAX_FILE_BYTES = 512_000_000
"""A larger file is not read into memory. A model of 10,000 trees of 63 leaves has some 60 MB."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The models of one registry. url: where their files are shared; empty for this disk only.

    load: a model's directory to its ranker; raises ModelRejected.
    """

    registry: Registry
    load: Callable[[Path], Ranker]
    url: str = ""

    def upload(self, model: str) -> dict[str, str]:
        """Stores the files that the URL lacks; returns the SHA-256 of each. Raises Unavailable."""
        if model == FusedOrder.name:
            return {}
        directory = self.registry.find_directory(model)
        contents = {
            name: (directory / name).read_bytes() for name in SHARED_FILES if (directory / name).exists()
        }
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        if self.url:
            for name, content in contents.items():
                self._store(hashes[name], content)
        return hashes

    def fetch(self, release: Release) -> None:
        """Brings the model of a release into the registry unless it is there.

        Raises ModelRejected when a file is not the one that the release names, Unavailable when the URL
        cannot be read.
        """
        model = release.model
        if model == FusedOrder.name or (self.registry.directory / model).is_dir():
            return
        if not self.url or not release.files:
            return
        if unknown := sorted(set(release.files) - set(SHARED_FILES)):
            raise ModelRejected(
                model,
                f"its release names the file {unknown[0]}",
                f"it may name {', '.join(SHARED_FILES)}",
                code="release_file_unknown",
            )
        self.registry.import_files(
            model, {name: self._read_verified(model, name, sha) for name, sha in release.files.items()}
        )

    def _store(self, digest: str, content: bytes) -> None:
        """Stores a file under a temporary name first: a reader must not see half of it."""
        system, root = self._open()
        target = f"{root}/{digest}"
        try:
            if system.get_file_info(target).type == fs.FileType.File:
                return
            system.create_dir(root, recursive=True)
            with system.open_output_stream(f"{target}.part") as stream:
                stream.write(content)
            system.move(f"{target}.part", target)
        except OSError as error:
            raise Unavailable(
                f"a model file cannot be stored at {self.url} ({error})", code="release_files_unreachable"
            ) from error

    def _read_verified(self, model: str, name: str, digest: str) -> bytes:
        system, root = self._open()
        try:
            with system.open_input_file(f"{root}/{digest}") as stream:
                if stream.size() > MAX_FILE_BYTES:
                    raise ModelRejected(
                        model,
                        f"{name} has {stream.size():,} bytes",
                        "store it again",
                        code="release_file_changed",
                    )
                content = bytes(stream.read())
        except OSError as error:
            raise Unavailable(
                f"{name} of model {model} cannot be read from {self.url} ({error}); promote the model again "
                "where it was trained, with the same REELRANK_RELEASES_URL",
                code="release_files_unreachable",
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelRejected(
                model,
                f"{name} at {self.url} is not the file of its release (SHA-256 differs)",
                "store it again",
                code="release_file_changed",
            )
        return content

    def _open(self) -> tuple[fs.FileSystem, str]:
        try:
            system, root = fs.FileSystem.from_uri(self.url)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"REELRANK_RELEASES_URL {self.url} cannot be opened ({error})",
                code="release_files_unreachable",
            ) from error
        return system, root.rstrip("/")

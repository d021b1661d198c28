"""`python -m benchmarks.data.items_file 1000000 items.jsonl`: made-up items as a file that can be loaded.

Every ten-thousandth line is one that a load must refuse and account for: it has no title.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from benchmarks.data.catalogue import Catalogue

REJECT_EVERY = 10_000


def encode_lines(catalogue: Catalogue) -> Iterator[bytes]:
    number = 0
    for batch in catalogue.generate_batches():
        for document in batch:
            number += 1
            item = document.item
            facts = {name: getattr(item, name) for name in item.__slots__}
            if number % REJECT_EVERY == 0:
                facts["title"] = ""
            yield orjson.dumps(facts) + b"\n"


def main(arguments: Sequence[str]) -> None:
    size, path = int(arguments[0]), Path(arguments[1])
    with path.open("wb") as file:
        file.writelines(encode_lines(Catalogue(size)))


if __name__ == "__main__":
    main(sys.argv[1:])

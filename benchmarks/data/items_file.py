"""`python -m benchmarks.data.items_file 1000000 items.jsonl`: writes generated items to a file.

Every ten-thousandth item has no title, so a load must reject and count it.
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
            fields = {name: getattr(item, name) for name in item.__slots__}
            if number % REJECT_EVERY == 0:
                fields["title"] = ""
            yield orjson.dumps(fields) + b"\n"


def main(arguments: Sequence[str]) -> None:
    size, path = int(arguments[0]), Path(arguments[1])
    with path.open("wb") as file:
        file.writelines(encode_lines(Catalogue(size)))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Each kept input of the fuzzer is read, or refused with an error that says why."""

import pytest

from tests.fuzz.corpus_file import MAX_INPUTS, read_corpus
from tests.fuzz.mutator import mutate_json
from tests.fuzz.targets import SERVED, TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS.keys() - SERVED))
def test_no_kept_input_is_a_finding(target: str) -> None:
    inputs = read_corpus(target)
    assert 0 < len(inputs) <= MAX_INPUTS
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted(SERVED))
def test_no_kept_request_is_an_internal_error(target: str) -> None:
    for data in read_corpus(target):
        TARGETS[target](data)


def test_a_mutation_of_json_is_json_again() -> None:
    changed = {mutate_json(b'{"a": [1, {"b": "c"}]}', seed) for seed in range(100)}
    assert len(changed - {None}) > 50
    assert mutate_json(b"no JSON", 1) is None

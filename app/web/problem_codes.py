"""Problem codes: what each means and what to do, read from the files in problem_tables.

The HTTP API sends a code in problem+json, the command line prints it with `--json`. Problem pages, OpenAPI
and docs/api.md are made from this table.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from reelrank.index_mappings.errors import CodedError

TABLES = Path(__file__).with_name("problem_tables")


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One kind of problem. A code never changes its meaning.

    meaning, remedy: full sentences; `backticks` mark code. status: of the HTTP answer; None for problems of
    the command line alone. exit_code: of the command line; None for problems of the HTTP API alone.
    in_ranking_role: whether a service in role ranking sends it, too.
    """

    code: str
    title: str
    meaning: str
    remedy: str
    status: HTTPStatus | None = None
    exit_code: int | None = None
    in_ranking_role: bool = False

    @property
    def type_uri(self) -> str:
        """Returns the `type` of problem+json: the address of the page that explains the code."""
        return f"/problems/{self.code}"


def _read_problem(code: str, fields: dict[str, Any]) -> ProblemCode:
    status = {"status": HTTPStatus(fields["status"])} if "status" in fields else {}
    return ProblemCode(code, **(fields | status))


@cache
def load_problems() -> Mapping[str, ProblemCode]:
    """Returns every problem by its code; the files are read at the first call."""
    return {
        code: _read_problem(code, fields)
        for table in sorted(TABLES.glob("*.toml"))
        for code, fields in tomllib.loads(table.read_text("utf-8")).items()
    }


def find_problem(error: CodedError) -> ProblemCode:
    """Returns the problem of an error; that of its type for a code that a service of another build gave."""
    problems = load_problems()
    return problems.get(error.code) or problems[type(error).code]


def list_command_problems() -> list[ProblemCode]:
    """Returns the problems that the command line reports, by exit code."""
    reported = [problem for problem in load_problems().values() if problem.exit_code is not None]
    return sorted(reported, key=lambda problem: problem.exit_code or 0)


def list_http_problems(only_ranking_role: bool = False) -> list[ProblemCode]:
    """Returns the problems that the HTTP API sends, by status."""
    sent = [problem for problem in load_problems().values() if problem.status is not None]
    sent.sort(key=lambda problem: problem.status or 0)
    return [problem for problem in sent if problem.in_ranking_role or not only_ranking_role]

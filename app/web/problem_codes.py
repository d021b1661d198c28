"""Problem codes, read from the table in problem_codes.toml.

The HTTP API sends a code in problem+json, the command line prints it with `--json`. Problem pages, OpenAPI
and docs/api.md are made from this table.
"""

import tomllib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("problem_codes.toml")


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One kind of problem; the head of the table explains its fields."""

    code: str
    title: str
    meaning: str
    remedy: str
    status: HTTPStatus | None = None
    exit_code: int | None = None
    in_ranking_role: bool = False

    @property
    def type_uri(self) -> str:
        """The `type` of problem+json: the address of the page that explains the code."""
        return f"/problems/{self.code}"


def _read_problem(code: str, fields: dict[str, Any]) -> ProblemCode:
    status = {"status": HTTPStatus(fields["status"])} if "status" in fields else {}
    return ProblemCode(code, **(fields | status))


PROBLEMS = {
    code: _read_problem(code, fields) for code, fields in tomllib.loads(TABLE.read_text("utf-8")).items()
}


def list_command_problems() -> list[ProblemCode]:
    """Returns the problems that the command line reports, by exit code."""
    reported = [problem for problem in PROBLEMS.values() if problem.exit_code is not None]
    return sorted(reported, key=lambda problem: problem.exit_code or 0)


def list_http_problems(only_ranking_role: bool = False) -> list[ProblemCode]:
    """Returns the problems that the HTTP API sends, by status."""
    sent = [problem for problem in PROBLEMS.values() if problem.status is not None]
    return [problem for problem in sent if problem.in_ranking_role or not only_ranking_role]

"""Sends requests to the ranking service and raises the errors that its responses stand for."""

import time
from dataclasses import replace

import orjson
from pydantic import SecretStr

from reelrank.app.http_client import HttpClient, HttpRequest, HttpResponse, ResponseTooLarge
from reelrank.index_mappings import errors

MAX_RESPONSE_BYTES = 64_000_000
"""The contributions of more than 250,000 rows fit."""
NO_KEY = SecretStr("")
ERROR_BY_STATUS: dict[int, type[errors.EngineError]] = {
    400: errors.BadRequest,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BadRequest,
    504: errors.Timeout,
}


class RankingService:
    """A ranking service at a URL, and the key that it asks for. Every request to it is safe to send twice."""

    def __init__(self, url: str, key: SecretStr = NO_KEY) -> None:
        self._client = HttpClient(url, MAX_RESPONSE_BYTES)
        self._key = key
        self.url = self._client.url

    def send(self, request: HttpRequest, timeout_s: float) -> bytes:
        """Returns the body of the response. Raises Timeout, Unavailable, or the error that the service names.

        timeout_s covers connecting, sending and the whole response. Within it a request is sent once more
        if its connection breaks, for example because the service closed it while idle, and once more if an
        aggregator answers 502 because it lost a worker: after which it may close the connection.
        """
        if self._key.get_secret_value():
            authorization = f"Bearer {self._key.get_secret_value()}"
            request = replace(request, headers={**request.headers, "Authorization": authorization})
        deadline, was_broken, was_bad_gateway = time.monotonic() + timeout_s, False, False
        while True:
            try:
                response = self._client.send(request, max(deadline - time.monotonic(), 0.001))
            except ResponseTooLarge as error:
                raise errors.Unavailable(
                    f"the ranking service answers with {error}", code="ranking_service_failed"
                ) from error
            except TimeoutError as error:
                reason = f"{self.url} gave no answer within {timeout_s * 1000:.0f} ms"
                raise errors.Timeout(f"the ranking service at {reason}") from error
            except ConnectionError as error:
                if was_broken:
                    lost = errors.Unavailable(
                        f"the ranking service at {self.url} cannot be reached", code="ranking_service_failed"
                    )
                    lost.cause = str(error)
                    raise lost from error
                was_broken = True
            else:
                if response.status == 200:
                    return response.body
                if response.status != 502 or was_bad_gateway:
                    raise _parse_error(response)
                was_bad_gateway = True


def _parse_error(response: HttpResponse) -> errors.EngineError:
    """Returns the error of the status, with the code and detail of a problem+json body if it has one."""
    try:
        problem = orjson.loads(response.body)
        detail, code = str(problem["detail"]), str(problem.get("code", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        detail, code = f"the ranking service answers {response.status}", ""
    if code == errors.ModelNotFound.code:
        return errors.ModelNotFound(detail)
    return ERROR_BY_STATUS.get(response.status, errors.Unavailable)(detail, code=code)

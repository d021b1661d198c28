"""The command line of gunicorn, without the working directory on the import path."""

import os
import tempfile

from gunicorn.app.wsgiapp import WSGIApplication

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


class ServiceApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn puts the working directory first on the import path, where a user's own modules would win."""

    def chdir(self) -> None:
        os.chdir(self.cfg.chdir)


def main() -> None:
    """Runs gunicorn.

    The workers share their metrics in a directory. prometheus_client decides at its import whether processes
    share metrics, and gunicorn's configuration imports it: so the directory is created here.
    """
    os.environ[METRICS_DIRECTORY] = tempfile.mkdtemp(prefix="reelrank-metrics-")
    ServiceApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    main()

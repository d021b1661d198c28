"""The command line of gunicorn, without the working directory on the import path."""

import os

from gunicorn.app.wsgiapp import WSGIApplication


class ServiceApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn puts the working directory first on the import path, where a user's own modules would win."""

    def chdir(self) -> None:
        os.chdir(self.cfg.chdir)


if __name__ == "__main__":
    ServiceApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()

"""The command line of gunicorn, without the working directory on the import path."""

import os

from gunicorn.app.wsgiapp import WSGIApplication


class ServiceApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn states no types
    """gunicorn puts its working directory first on the import path; there, a user's own folders would win."""

    def chdir(self) -> None:
        os.chdir(self.cfg.chdir)


if __name__ == "__main__":
    ServiceApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()

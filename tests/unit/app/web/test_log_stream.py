"""A log on a full disk: lines are lost, and nothing fails by it."""

import errno
from io import StringIO

from reelrank.app.web.log_stream import LogStream


class FullDisk(StringIO):
    """Fails every write, and the flush of what waits."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_is_left_out() -> None:
    stream = LogStream(FullDisk())
    assert stream.write("a line\n") == 7
    stream.flush()


def test_other_lines_are_written_and_a_closed_stream_is_ignored() -> None:
    text = StringIO()
    stream = LogStream(text)
    stream.write("a line\n")
    stream.flush()
    assert text.getvalue() == "a line\n"
    text.close()
    stream.write("more")
    stream.flush()

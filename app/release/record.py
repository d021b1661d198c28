"""All that is known of one release: its parts, what it is used as, and the decisions about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelrank.app.release.promotion import ReleaseManager
from reelrank.ranking.registry.decisions import Decision, FileHistory
from reelrank.ranking.registry.releases import Release, describe_state, find_release

DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release with its decisions, oldest first.

    release: None for one that was dropped, such as one that the gate refused: only its decisions are left.
    state: serving, previous, canary, shadow, dropped or empty.
    """

    release_id: str
    release: Release | None
    state: str
    decisions: Sequence[Decision]

    @property
    def own(self) -> list[Decision]:
        """Returns the decisions about this release."""
        return [one for one in self.decisions if one.release == self.release_id]

    @property
    def meanwhile(self) -> list[Decision]:
        """Returns the decisions about others that were made while this release served."""
        return [one for one in self.decisions if one.release != self.release_id]


def read_release_record(manager: ReleaseManager, history: FileHistory, release_id: str) -> ReleaseRecord:
    """Raises NotFound when there is neither a release of this id nor a decision about one."""
    decisions, listed = history.of_release(release_id), manager.list_releases()
    if decisions and release_id not in {release.id for release in listed}:
        return ReleaseRecord(release_id, None, DROPPED, decisions)
    release = find_release(listed, release_id)
    return ReleaseRecord(
        release_id, release, describe_state(release, manager.store.read_pointer()), decisions
    )

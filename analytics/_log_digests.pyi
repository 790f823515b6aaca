"""See analytics.log_digests."""

from collections.abc import Iterable, Sequence

from analytics.log_digests import GroupEntry, RankedGroup

def pack_group(
    before: bytes, name: bytes, sums: Sequence[int], first_count: bytes, second_count: bytes
) -> tuple[bytes, bytes]: ...
def read_groups(groups: bytes) -> list[GroupEntry]: ...
def add_up(records: Iterable[bytes], sum_count: int) -> tuple[list[int], bytes, bytes]: ...
def rank(
    digests: Sequence[bytes], names: Sequence[str], counts: Sequence[int], limit: int
) -> list[RankedGroup]: ...

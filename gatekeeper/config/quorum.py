"""Whether so many people can meet several quorums at once, where each counts for one of them only. Pure."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet


def can_seat(seats: Sequence[AbstractSet[str]], people: Iterable[str]) -> bool:
    """Whether every seat can be taken by one of `people`, nobody on two: Kuhn's bipartite matching.

    A seat is the set of those who may take it; a quorum of two is two seats.
    """
    present = sorted(people)
    taken: dict[str, int] = {}

    def take(seat: int, asked: set[str]) -> bool:
        for person in present:
            if person not in seats[seat] or person in asked:
                continue
            asked.add(person)
            if person not in taken or take(taken[person], asked):
                taken[person] = seat
                return True
        return False

    return all(take(seat, set()) for seat in range(len(seats)))

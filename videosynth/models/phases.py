"""When what trains: schedules that several models share, as pure functions of the step."""

from __future__ import annotations

from typing import NamedTuple


class Growth(NamedTuple):
    """Where a coarse-to-fine training stands."""

    scales: int  # scales in use, the coarsest first
    alone: bool  # only the finest of them trains
    since: int  # the step at which that scale was added


def growth(step: int, steps: int, scales: int, grow: float, alone: float) -> Growth:
    """The coarser ``scales - 1`` scales share the first ``grow`` of all ``steps`` equally, the finest has the rest; for
    the first ``alone`` of its time a new scale trains alone, then all train together (pix2pixHD, section 3.1; vid2vid,
    section 3.3).
    """
    bounds = [round(steps * grow * k / (scales - 1)) for k in range(scales)] if scales > 1 else [0]
    active = max(k + 1 for k, bound in enumerate(bounds) if step >= bound)
    since = bounds[active - 1]
    until = bounds[active] if active < scales else steps
    return Growth(active, active > 1 and step < since + alone * (until - since), since)


def held_then_falling(step: int, steps: int, held: float) -> float:
    """The factor on the learning rate: 1 for the first ``held`` of all ``steps``, then linearly to 0."""
    kept = held * steps
    return 1.0 if step < kept else max(0.0, (steps - step) / max(steps - kept, 1))

"""Cars that drive and turn, people who walk: where each one is at any moment, in closed form.

What could run into the camera (cars ahead of it, cross traffic, people on a zebra crossing) is timed by the camera's
own way along the road, so that random access needs no simulation and nothing collides with the viewer.
"""

from __future__ import annotations

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course, car_quads
from videosynth.data.worlds.street_plan import BLOCK, CARS, FRONT, Plan, car_looks
from videosynth.data.worlds.street_textures import atlas

_LANE, _SIDE_LANE = 1.65, 1.7
_ONCOMING, _LEADER, _CROSS, _WALKER, _ZEBRA = 9, 10, 11, 12, 13
_SIGHT = 190.0
_HAIR = np.array([(0.35, 0.22, 0.12), (0.15, 0.1, 0.08), (0.75, 0.6, 0.3), (0.5, 0.5, 0.5)])


def _oncoming(plan: Plan, ego: float, seconds: float, index: Array) -> tuple[Array, Array, Array]:
    s = index * 34.0 + 20 * ob.draw(plan.seed, _ONCOMING, index) - 9.0 * seconds
    return s, np.full(len(s), -_LANE) + 0.15 * np.sin(s / 11), np.full(len(s), np.pi)


def _leaders(plan: Plan, ego: float, seconds: float, k: Array) -> tuple[Array, Array, Array]:
    """The car that turns in at crossing k, drives ahead of the camera and turns off at crossing k + 1."""
    p = ego + 15 + 16 * ob.draw(plan.seed, _LEADER, k)
    first, last = plan.crossing(k), plan.crossing(k + 1)
    right = ob.draw(plan.seed, _LEADER, k, 1) < 0.5
    r0, r1 = 4.5, np.where(right, 4.5, 7.5)
    enter, leave = first + _SIDE_LANE + r0, last + np.where(right, -_SIDE_LANE, _SIDE_LANE) - r1
    before, after = np.maximum(enter - p, 0), np.maximum(p - leave, 0)
    turn_in = -np.minimum(before / r0, np.pi / 2)
    turn_off = np.minimum(after / r1, np.pi / 2) * np.where(right, 1, -1)
    beyond_in, beyond_off = np.maximum(before - r0 * np.pi / 2, 0), np.maximum(after - r1 * np.pi / 2, 0)
    s = np.clip(p, enter, leave) + r0 * np.sin(turn_in) + r1 * np.abs(np.sin(turn_off))
    d = _LANE + r0 * (1 - np.cos(turn_in)) + beyond_in
    d += np.where(right, 1, -1) * (r1 * (1 - np.cos(turn_off)) + beyond_off)
    return s, d, turn_in + turn_off


def _cross(plan: Plan, ego: float, seconds: float, k: Array) -> tuple[Array, Array, Array]:
    way = np.where(ob.draw(plan.seed, _CROSS, k, 1) < 0.5, 1.0, -1.0)
    d = way * 1.1 * (ego - (plan.crossing(k) - 36 - 16 * ob.draw(plan.seed, _CROSS, k)))
    return plan.crossing(k) - way * _SIDE_LANE, d, way * np.pi / 2


def _drivers(plan: Plan, ego: float, seconds: float) -> list[tuple]:
    """(topic, place function, indices) of the cars that are in sight."""
    low, high = ego - 12 + 9.0 * seconds, ego + _SIGHT + 9.0 * seconds
    oncoming = np.arange(int(low // 34) - 1, int(high // 34) + 1)
    blocks = np.arange(int(ego // BLOCK) - 1, int(ego // BLOCK) + 4)
    sides = plan.has_side(blocks)
    leaders = blocks[sides & plan.has_side(blocks + 1) & (ob.draw(plan.seed, _LEADER, blocks, 2) < 0.85)]
    cross = blocks[sides & (ob.draw(plan.seed, _CROSS, blocks, 2) < 0.65)]
    some = ob.draw(plan.seed, _ONCOMING, oncoming, 2) < 0.8
    return [(_ONCOMING, _oncoming, oncoming[some]), (_LEADER, _leaders, leaders), (_CROSS, _cross, cross)]


def cars(plan: Plan, ego: float, seconds: float, ego_before: float, seconds_before: float) -> tuple[Array, Array]:
    """CARS rows (absolute ``s``) of the moving cars in sight, in this and the previous frame."""
    now, before = [np.zeros(0, CARS)], [np.zeros(0, CARS)]
    for topic, place, index in _drivers(plan, ego, seconds):
        rows = car_looks(plan.seed, topic, index)
        rows["s"], rows["d"], rows["relative"] = place(plan, ego, seconds, index)
        seen = (np.abs(rows["d"]) < 62) & (rows["s"] > ego - 12) & (rows["s"] < ego + _SIGHT)
        old = rows.copy()
        old["s"], old["d"], old["relative"] = place(plan, ego_before, seconds_before, index)
        now.append(rows[seen])
        before.append(old[seen])
    return np.concatenate(now), np.concatenate(before)


PEOPLE = np.dtype([("s", "f8"), ("d", "f8"), ("relative", "f8"), ("phase", "f8"), ("topic", "i4"), ("index", "i8")])


def _walkers(plan: Plan, ego: float, seconds: float, index: Array) -> Array:
    """Walkers of four streams; ``index`` = 4 * number + stream: side of the road and way."""
    out = np.zeros(len(index), PEOPLE)
    stream, number = index % 4, index // 4
    way, side = np.where(stream % 2, 1.0, -1.0), np.where(stream // 2, 1.0, -1.0)
    walked = np.where(stream % 2, 1.35, 1.1) * seconds
    out["s"] = number * 14.0 + 10 * ob.draw(plan.seed, _WALKER, index) + way * walked
    out["d"] = side * (np.where(stream % 2, 7.2, 8.2) + 0.5 * (ob.draw(plan.seed, _WALKER, index, 1) - 0.5))
    out["relative"] = np.where(way > 0, 0, np.pi)
    out["phase"] = walked / 0.24 + 6.28 * ob.draw(plan.seed, _WALKER, index, 2)
    out["topic"], out["index"] = _WALKER, index
    return out


def _zebra(plan: Plan, ego: float, seconds: float, index: Array) -> Array:
    """People on the zebra crossing after crossing ``index // 4``: over it before the camera comes."""
    out = np.zeros(len(index), PEOPLE)
    k = index // 4
    zebra = plan.crossing(k) + BLOCK / 2
    begin = zebra - 66 + 14 * ob.draw(plan.seed, _ZEBRA, index)
    walked = 14.4 * np.clip((ego - begin) / 34, 0, 1)
    way = np.where(ob.draw(plan.seed, _ZEBRA, index, 1) < 0.5, 1.0, -1.0)
    out["s"] = zebra + 2.4 * (ob.draw(plan.seed, _ZEBRA, index, 2) - 0.5)
    out["d"], out["relative"], out["phase"] = way * (walked - 7.2), way * np.pi / 2, walked / 0.24
    out["topic"], out["index"] = _ZEBRA, index
    return out


def people(plan: Plan, ego: float, seconds: float, ego_before: float, seconds_before: float) -> tuple[Array, Array]:
    """PEOPLE rows (absolute ``s``) in sight, in this and the previous frame."""
    walkers = []
    for stream, speed in enumerate((-1.1, 1.35, -1.1, 1.35)):
        base = ego - speed * seconds
        number = np.arange(int((base - 10) // 14) - 1, int((base + 110) // 14) + 1)
        walkers.append(number * 4 + stream)
    index = np.concatenate(walkers)
    index = index[ob.draw(plan.seed, _WALKER, index, 3) < 0.7]
    blocks = np.arange(int(ego // BLOCK) - 1, int(ego // BLOCK) + 3)
    blocks = blocks[plan.has_zebra(blocks)]
    waiting = (blocks[:, None] * 4 + np.arange(3)).reshape(-1)
    now, before = (
        np.concatenate([_walkers(plan, e, t, index), _zebra(plan, e, t, waiting)])
        for e, t in ((ego, seconds), (ego_before, seconds_before))
    )
    seen = (now["s"] > ego - 4) & (now["s"] < ego + 110)
    return now[seen], before[seen]


def people_quads(course: Course, now: Array, before: Array) -> Array:
    """QUADs of people from their PEOPLE rows (``s`` from the course's anchor)."""
    n, seed = len(now), course.plan.seed
    out = np.zeros((n, ob.PERSON_PARTS), ob.QUAD)
    person = 2 * now["index"] + (now["topic"] == _ZEBRA)
    looks = [ob.draw(seed, _WALKER, person, channel) for channel in range(30, 36)]
    size = 0.9 + 0.18 * looks[0]
    for name, rows in (("now", now), ("before", before)):
        place = course.point(rows["s"], rows["d"])
        out[name] = ob.person_shape(place, course.heading(rows["s"]) + rows["relative"], rows["phase"], size)
    shirt, trousers = np.stack(looks[1:4], 1), np.stack(looks[4:5] * 3, 1) * [0.5, 0.5, 0.6] + 0.15
    shirt = 0.15 + 0.8 * shirt
    hair = _HAIR[(looks[5] * len(_HAIR)).astype(int)]
    out["board"] = True
    out["texture"], out["repeat"] = ob.person_textures(atlas().ids), ob.person_repeats()
    for part, tint in enumerate((trousers, trousers, shirt, shirt, shirt, hair)):
        out["tint"][:, part] = tint
    out["sun"], out["label"] = 0.55, ob.PEDESTRIAN
    out["instance"] = ob.instance_id(0, now["index"])[:, None] + now["topic"][:, None]
    out["key"] = ((now["topic"].astype(np.int64) << 52) + (now["index"] << 8))[:, None] + np.arange(ob.PERSON_PARTS)
    return out.reshape(-1)


def mover_quads(
    course: Course, ego: float, seconds: float, ego_before: float, seconds_before: float
) -> tuple[Array, Array]:
    """QUADs of all that moves, and the (s, d, relative heading, half length, half width, height) of their shadows."""
    rows = cars(course.plan, ego, seconds, ego_before, seconds_before)
    walk = people(course.plan, ego, seconds, ego_before, seconds_before)
    for part in (*rows, *walk):
        part["s"] -= course.start
    quads = np.concatenate([car_quads(course, *rows), people_quads(course, *walk)])
    casts = [
        np.stack([r["s"], r["d"], r["relative"], np.full(len(r), a), np.full(len(r), b), np.full(len(r), h)], 1)
        for r, a, b, h in ((rows[0], 2.35, 0.95, 1.2), (walk[0], 0.25, 0.25, 1.6))
    ]
    near = np.abs(walk[0]["s"] + course.start - ego) < 45
    casts[1] = casts[1][near & (np.abs(walk[0]["d"]) < FRONT)]
    return quads, np.concatenate(casts)

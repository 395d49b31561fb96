"""Every texture of the street, painted with numpy and OpenCV from fixed random numbers.

Walls, cars, clothes and leaves are painted in greys with a mask; each object multiplies its own colour there.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from videosynth.data.worlds.street_atlas import Array, Atlas, Texture
from videosynth.data.worlds.street_objects import CAR_PROFILES

FACADES, SHOPS, TREES, SIGNS = 8, 6, 5, 6

Rng = np.random.Generator


def _noise(rng: Rng, h: int, w: int, beta: float) -> Array:
    """Repeating noise with amplitude falling as frequency ** -beta; mean 0, deviation 1."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    f = np.hypot(fy, fx)
    f[0, 0] = 1
    out = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(h, w))) / f**beta, s=(h, w))
    return ((out - out.mean()) / out.std()).astype(np.float32)


def _streaks(rng: Rng, n: int, beta: float, length: float) -> Array:
    """Repeating noise that is ``length`` times longer along v than along u."""
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    spectrum = np.fft.rfft2(rng.normal(size=(n, n))) * np.exp(-((fy * length) ** 2) * 8) / np.maximum(fx, 1 / n) ** beta
    spectrum[:, 0] = 0
    out = np.fft.irfft2(spectrum, s=(n, n))
    return (out / out.std()).astype(np.float32)


def _grey(values: Array, tone: tuple[float, float, float] = (1, 1, 1)) -> Array:
    return np.clip(values[..., None] * np.array(tone, np.float32), 0, 1).astype(np.float32)


def _bricks(rng: Rng, h: int, w: int, rows: int, columns: int, contrast: float = 0.16) -> Array:
    """Running bond in greys: every brick has its own brightness, mortar is light."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    row = (y * rows / h).astype(int)
    place = x * columns / w + 0.5 * (row % 2)
    tone = rng.normal(0.72, contrast, (rows, columns)).astype(np.float32)[row, place.astype(int) % columns]
    mortar = ((y * rows / h) % 1 < 0.16) | (place % 1 < 0.09)
    return np.where(mortar, 0.86, tone)


def _wall(rng: Rng, style: int, h: int, w: int) -> Array:
    if style in (0, 3, 6):
        return _bricks(rng, h, w, 48, 24, 0.15)
    if style in (2, 5):
        wall = _bricks(rng, h, w, 16, 8, 0.07)
        return np.where(wall > 0.855, 0.5, wall + 0.1)
    return 0.86 + 0.05 * _noise(rng, h, w, 1.2) + 0.02 * _noise(rng, h, w, 0)


def _glass(rng: Rng, h: int, w: int) -> Array:
    """A window pane: dark room, reflected sky, now and then a curtain or a lamp."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    y, x = y / h, x / w
    dark, bright = rng.uniform(0.06, 0.2), rng.uniform(0.3, 0.8)
    tone = np.where(y + x * rng.uniform(-0.5, 0.5) < rng.uniform(0.2, 0.7), bright, dark) * (1 - 0.3 * y)
    out = _grey(tone, (0.85, 0.97, 1.1))
    if rng.random() < 0.45:
        side = rng.uniform(0.15, 0.35)
        curtain = (x < side) | (x > 1 - side) if rng.random() < 0.6 else y < rng.uniform(0.3, 0.8)
        folds = 0.8 + 0.15 * np.sin(x * 40)
        out = np.where(curtain[..., None], _grey(folds, tuple(rng.uniform(0.65, 1, 3))), out)
    if rng.random() < 0.1:
        out = 0.4 * out + 0.6 * np.array([1, 0.85, 0.5], np.float32)
    return out.astype(np.float32)


def _facade(rng: Rng, style: int) -> Texture:
    """Four windows by four floors, 12 m x 12 m."""
    n = 256
    rgb, mask = _grey(_wall(rng, style, n, n)), np.ones((n, n), np.float32)
    wide, high = [(26, 38), (30, 40), (44, 30), (22, 42), (28, 34), (52, 46), (34, 36), (60, 28)][style]
    frame = [0.95, 0.92, 0.25, 0.95, 0.35, 0.2, 0.9, 0.3][style]
    for floor in range(4):
        for column in range(4):
            x, y = 64 * column + (64 - wide) // 2, 64 * floor + 14
            rgb[y - 5 : y, x - 4 : x + wide + 4] = 0.95 if style != 7 else 0.4
            rgb[y : y + high, x : x + wide] = frame
            split = [2, 2, 3, 2, 1, 2, 2, 4][style]
            for part in range(split):
                a, b = x + 2 + part * (wide - 2) // split, x + (part + 1) * (wide - 2) // split
                rgb[y + 2 : y + high - 2, a:b] = _glass(rng, high - 4, b - a)
            rgb[y : y + 3, x : x + wide] *= 0.45
            mask[y - 5 : y + high, x - 4 : x + wide + 4] = 0
            if style in (1, 4):
                _shutters(rgb, mask, x, y, wide, high, 0.55 + 0.1 * rng.random())
            rgb[y + high : y + high + 4, x - 4 : x + wide + 4] = 1
            rgb[y + high + 4 : y + high + 8, x - 3 : x + wide + 3] *= 0.55
            if style in (3, 4) and rng.random() < 0.4:
                _balcony(rgb, mask, x - 9, y + high - 12, wide + 18)
        if style in (1, 3, 5, 7):
            rgb[64 * floor : 64 * floor + 4] = [0.95, 0.95, 0, 0.6, 0, 0.55, 0, 0.62][style]
            rgb[64 * floor + 4 : 64 * floor + 6] *= 0.6
    stain = 1 + 0.06 * _noise(rng, n, n, 1.6)[..., None]
    return Texture(np.clip(rgb * stain, 0, 1), mask, wrap=True)


def _shutters(rgb: Array, mask: Array, x: int, y: int, wide: int, high: int, tone: float) -> None:
    for a in (x - 13, x + wide + 1):
        slats = tone * (0.8 + 0.2 * (np.arange(high) % 4 < 2))
        rgb[y : y + high, a : a + 12] = slats[:, None, None] * np.array([0.55, 0.8, 0.65], np.float32)
        mask[y : y + high, a : a + 12] = 0


def _balcony(rgb: Array, mask: Array, x: int, y: int, wide: int) -> None:
    rgb[y : y + 20, x : x + wide : 3] = 0.12
    rgb[y : y + 2, x : x + wide] = 0.1
    rgb[y + 18 : y + 22, x : x + wide] = 0.8
    rgb[y + 22 : y + 27, x : x + wide] *= 0.45
    mask[y : y + 22, x : x + wide] = 0


def _shop(rng: Rng, style: int) -> Texture:
    """A ground floor, 8 m x 4 m: shop fronts (0-3) or flats with doors (4, 5)."""
    h, w = 128, 256
    rgb, mask = _grey(_wall(rng, (3, 1, 2, 4, 0, 5)[style], h, w)), np.ones((h, w), np.float32)
    rgb[:6] = 0.95
    rgb[6:9] *= 0.5
    if style >= 4:
        for x in (16, 84, 204):
            rgb[34:88, x : x + 36], mask[30:92, x - 4 : x + 40] = 0.9, 0
            rgb[37:85, x + 3 : x + 17], rgb[37:85, x + 19 : x + 33] = _glass(rng, 48, 14), _glass(rng, 48, 14)
            rgb[88:93, x - 4 : x + 40] = 0.95
        door = rng.uniform(0.15, 0.6, 3)
        rgb[30:, 146:182], mask[26:, 142:186] = 0.9, 0
        rgb[40:, 150:178] = door
        rgb[48:80, 155:173], rgb[88:120, 155:173] = door * 0.6, door * 0.6
        rgb[33:39, 150:178] = _glass(rng, 6, 28)
        rgb[116:] *= 0.6
        return Texture(np.clip(rgb, 0, 1), mask, wrap=True)
    for x, wide in ((8, 104), (160, 88)):
        rgb[38:112, x : x + wide], mask[38:112, x : x + wide] = 0.15, 0
        rgb[42:108, x + 3 : x + wide - 3] = _glass(rng, 66, wide - 6) * 0.6
        for _ in range(22):
            gx, gy = int(rng.integers(x + 4, x + wide - 12)), int(rng.integers(70, 100))
            rgb[gy:108, gx : gx + int(rng.integers(4, 9))] = rng.uniform(0.15, 1, 3)
    rgb[40:, 118:152], mask[36:, 116:154] = 0.12, 0
    rgb[44:122, 122:148] = _glass(rng, 78, 26)
    rgb[10:30, 6:250] = 0.25 if style % 2 else 0.95
    for x in range(20, 230, 11):
        if rng.random() < 0.75:
            rgb[14:26, x : x + 8], mask[14:26, x : x + 8] = 0.95 if style % 2 else 0.15, 0
    if style in (0, 2):
        stripes = np.where(np.arange(w) // 10 % 2, 1.0, 0.0)
        rgb[30:50], mask[30:50] = np.where(stripes[None, :, None] > 0, 0.95, 0.85), 1 - stripes
        rgb[50:58] *= 0.4
    rgb[118:] *= 0.5
    return Texture(np.clip(rgb, 0, 1), mask, wrap=True)


def _tree(rng: Rng, kind: int) -> Texture:
    """A trunk and a crown of some hundred leaf clusters, lit from above. Kind 4 is a bush."""
    n = 256
    rgb, alpha = np.full((n, n, 3), 0.3, np.float32), np.zeros((n, n), np.float32)
    mask = np.zeros((n, n), np.float32)
    if kind != 4:
        cv2.line(rgb, (128, 255), (126, 120), (0.42, 0.3, 0.2), 15)
        cv2.line(rgb, (133, 255), (131, 120), (0.22, 0.15, 0.1), 6)
        cv2.line(alpha, (128, 255), (126, 120), 1.0, 17)
        for end in ((70, 100), (185, 95), (128, 60)):
            cv2.line(rgb, (127, 175), end, (0.28, 0.2, 0.14), 6)
            cv2.line(alpha, (127, 175), end, 1.0, 6)
    cx, cy, rx, ry = [
        (128, 92, 108, 82),
        (128, 100, 90, 90),
        (128, 96, 56, 92),
        (128, 90, 96, 78),
        (128, 160, 122, 88),
    ][kind]
    size = [15, 12, 11, 18, 14][kind]
    for depth in np.linspace(0, 1, 420):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        px, py = np.cos(angle) * radius, np.sin(angle) * radius
        x, y = int(cx + px * rx), int(cy + py * ry)
        light = 0.30 + 0.62 * depth * (0.5 - 0.5 * py) + 0.16 * px * depth + rng.normal(0, 0.05)
        r = int(size * rng.uniform(0.6, 1.1) * (1.15 - 0.35 * radius))
        axes, turn = (r, max(2, int(r * 0.7))), float(rng.uniform(0, 180))
        tone = float(np.clip(light, 0.12, 1.0))
        cv2.ellipse(rgb, (x - 2, y + 5), axes, turn, 0, 360, (0.3 * tone, 0.32 * tone, 0.3 * tone), -1)
        cv2.ellipse(rgb, (x, y), axes, turn, 0, 360, (tone, tone, tone * 0.85), -1)
        cv2.ellipse(alpha, (x, y), axes, turn, 0, 360, 1.0, -1)
        cv2.ellipse(mask, (x, y), axes, turn, 0, 360, 1.0, -1)
    speckle = 1 + 0.36 * _noise(rng, n, n, 0.5)[..., None] * mask[..., None]
    holes = (_noise(rng, n, n, 0.8) > 1.75) & (mask > 0) & (kind != 4)
    alpha[holes] = 0
    alpha[:2] = alpha[:, :2] = alpha[:, -2:] = 0
    return Texture(np.clip(rgb * speckle, 0.02, 1), mask, alpha)


def _ground(rng: Rng) -> dict[str, Texture]:
    """Road, pavement and grass, 16 m x 16 m (pavement 8 m x 8 m); dry, worn, repaired."""
    n = 512
    road = 0.43 + 0.05 * _noise(rng, n, n, 0.3) + 0.05 * _noise(rng, n, n, 1.2)
    # Wear along the lanes: it is what remains of a road's texture far ahead, where the length is averaged away.
    road += 0.06 * _streaks(rng, n, 0.5, 45)
    for _ in range(9):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 30, 24), (n - 100, n - 100, 110, 100)))
        road[y : y + h, x : x + w] += rng.uniform(-0.12, 0.09)
        cv2.rectangle(road, (x, y), (x + w, y + h), 0.2, 3)
    for _ in range(9):
        walk = np.cumsum(rng.normal((5, 2), (5, 8), (40, 2)), 0) + rng.uniform(0, n, 2)
        cv2.polylines(road, [walk.astype(np.int32)], False, 0.17, 3)
    for _ in range(3):
        x, y = (int(v) for v in rng.integers(40, n - 40, 2))
        cv2.circle(road, (x, y), 13, 0.16, -1)
        cv2.circle(road, (x, y), 10, 0.36, 3)
    slabs = _bricks(rng, n // 2, n // 2, 10, 8, 0.085)
    slabs = np.where(slabs > 0.855, 0.38, slabs) + 0.025 * _noise(rng, n // 2, n // 2, 0.4)
    grass = 0.62 + 0.1 * _noise(rng, n // 2, n // 2, 0.2) + 0.13 * _noise(rng, n // 2, n // 2, 1.1)
    one = np.ones((n, n), np.float32)
    return {
        "road": Texture(_grey(road, (1.0, 0.99, 1.0)), 0 * one, wrap=True),
        "pavement": Texture(_grey(slabs, (1.0, 0.95, 0.88)), one[::2, ::2], wrap=True),
        "grass": Texture(_grey(grass, (0.72, 0.9, 0.4)), one[::2, ::2], wrap=True),
    }


def _cloud(rng: Rng) -> Texture:
    n = 512
    cover = np.clip((_noise(rng, n, n, 1.4) + 0.4 * _noise(rng, n, n, 0.8) + 0.1) * 0.8, 0, 1)
    shade = 1 - 0.45 * np.clip(np.roll(cover, (12, 9), (0, 1)) * cover, 0, 1)
    return Texture(_grey(shade), cover.astype(np.float32), wrap=True)


def _car_side(profile: Array) -> Texture:
    h, w = 128, 256
    length, top = np.ptp(profile[:, 0]), profile[:, 1].max()

    def pixel(points: Array) -> Array:
        scaled = (points - [profile[:, 0].min(), 0]) / [length, top] * [w - 1, h - 1]
        return np.stack([scaled[:, 0], h - 1 - scaled[:, 1]], 1).astype(np.int32)

    rgb, alpha = np.full((h, w, 3), 0.8, np.float32), np.zeros((h, w), np.float32)
    cv2.fillPoly(alpha, [pixel(profile)], 1.0)
    y = np.linspace(top, 0, h)
    rgb *= np.interp(y, [0.2, 0.45, 0.8, 0.95, top], [0.45, 0.75, 0.85, 1.1, 1.0]).astype(np.float32)[:, None, None]
    mask = np.ones((h, w), np.float32)
    middle = profile[:, 0].mean()
    cabin = profile[(profile[:, 1] > 0.9)] * [0.92, 1] + [middle * 0.08, 0]
    belt = cabin[:, 1].min() if top < 2 else 1.25
    glass = np.stack([cabin[:, 0], np.clip(cabin[:, 1] - 0.1, belt + 0.03, None)], 1)
    cv2.fillPoly(rgb, [pixel(glass)], (0.12, 0.16, 0.2))
    cv2.fillPoly(mask, [pixel(glass)], 0.0)
    count = max(2, round(length / 1.5))
    for x in np.linspace(0, w, count + 1)[1:-1].astype(int):
        cv2.line(rgb, (int(x), 8), (int(x), h - 22), (0.5, 0.5, 0.5), 2)
    for x in (profile[:, 0].min() + 0.19 * length, profile[:, 0].max() - 0.19 * length):
        centre = tuple(int(v) for v in pixel(np.array([[x, 0.32]]))[0])
        for radius, tone in ((0.4, 0.04), (0.33, 0.1), (0.2, 0.62), (0.07, 0.2)):
            axes = (int(radius / length * w), int(radius / top * h))
            for layer, value in ((rgb, (tone,) * 3), (mask, 0.0), (alpha, 1.0)):
                cv2.ellipse(layer, centre, axes, 0, 0, 360, value, -1)
    return Texture(np.clip(rgb, 0, 1), mask, alpha)


def _car_parts() -> dict[str, Texture]:
    h, w = 64, 128
    rear = np.full((h, w, 3), 0.8, np.float32) * np.linspace(1.1, 0.7, h, dtype=np.float32)[:, None, None]
    mask = np.ones((h, w), np.float32)
    front = rear.copy()
    for part in (rear, front):
        part[44:] = 0.14
    for x in (3, 101):
        rear[8:28, x : x + 24] = (0.85, 0.08, 0.06)
        front[8:28, x : x + 24] = (0.98, 0.97, 0.9)
    rear[26:38, 44:84], front[12:34, 36:92], front[38:46, 46:82] = 0.93, 0.1, 0.93
    rear_mask, front_mask = mask.copy(), mask.copy()
    for x in (3, 101):
        rear_mask[8:28, x : x + 24] = front_mask[8:28, x : x + 24] = 0
    rear_mask[26:38, 44:84] = front_mask[12:34, 36:92] = front_mask[38:46, 46:82] = 0
    glass = _grey(np.linspace(0.55, 0.12, h)[:, None] * np.ones((1, w)), (0.8, 0.95, 1.1))
    glass[:, :5] = glass[:, -5:] = 0.15
    glass[30:, 20:50] *= 0.4
    glass[30:, 78:108] *= 0.4
    paint = np.full((h, w, 3), 0.92, np.float32)
    paint[:, 26:29] = paint[:, 99:102] = 0.75
    turned = np.s_[::-1, ::-1]
    return {
        "rear": Texture(rear, rear_mask),
        "front": Texture(front[turned].copy(), front_mask[turned].copy()),
        "glass": Texture(glass, 0 * mask),
        "paint": Texture(paint, mask),
    }


def _person() -> dict[str, Texture]:
    out = {}
    y, x = np.mgrid[:64, :32].astype(np.float32)
    side = np.abs(x - 15.5) / 16
    round_ = _grey(0.95 - 0.35 * np.clip((x - 12) / 20, 0, 1))
    ones = np.ones((64, 32), np.float32)
    folds = 1 - 0.12 * (np.sin(y / 3 + x / 5) > 0.6)[..., None]
    torso = round_ * folds
    torso[56:] *= 0.5
    out["torso"] = Texture(torso, ones, (side < np.interp(y, [0, 8, 40, 63], [0.5, 0.95, 0.8, 0.9])).astype(np.float32))
    leg = round_ * folds
    leg[54:], leg_mask = 0.08, ones.copy()
    leg_mask[54:] = 0
    out["leg"] = Texture(leg, leg_mask, (side < np.interp(y, [0, 63], [0.95, 0.6])).astype(np.float32))
    arm, arm_mask = round_ * 0.85, ones.copy()
    arm[52:], arm_mask[52:] = (0.85, 0.65, 0.52), 0
    out["arm"] = Texture(arm, arm_mask, (side < 0.8).astype(np.float32))
    y, x = np.mgrid[:32, :32].astype(np.float32)
    face = np.hypot((x - 15.5) / 13, (y - 15.5) / 16) < 1
    hair = (y < 13) | (np.abs(x - 15.5) > 11)
    head = np.where(hair[..., None], 0.85, np.array([0.9, 0.7, 0.56], np.float32)).astype(np.float32)
    out["head"] = Texture(head, hair.astype(np.float32), face.astype(np.float32))
    return out


def _sign(kind: int) -> Texture:
    n = 64
    rgb, alpha = np.full((n, n, 3), 0.95, np.float32), np.zeros((n, n), np.float32)
    red, blue, black = (0.82, 0.08, 0.08), (0.08, 0.25, 0.75), (0.05, 0.05, 0.05)
    if kind == 0:
        cv2.circle(alpha, (32, 32), 31, 1.0, -1)
        cv2.circle(rgb, (32, 32), 27, red, 9)
        three, zero = (
            [[19, 22], [29, 22], [24, 31], [29, 35], [27, 41], [19, 42]],
            [[36, 22], [45, 22], [45, 42], [36, 42]],
        )
        for stroke, closed in ((three, False), (zero, True)):
            cv2.polylines(rgb, [np.array(stroke)], closed, black, 4)
    elif kind == 1:
        outer, inner = np.array([[32, 2], [63, 60], [1, 60]]), np.array([[32, 18], [50, 52], [14, 52]])
        cv2.fillPoly(alpha, [outer], 1.0)
        rgb[:] = red
        cv2.fillPoly(rgb, [inner], (0.97, 0.97, 0.9))
        cv2.line(rgb, (32, 28), (32, 46), black, 5)
    elif kind == 2:
        rgb[:], alpha[2:62, 2:62] = blue, 1
        cv2.polylines(
            rgb, [np.array([[22, 54], [22, 12], [42, 12], [44, 22], [42, 33], [22, 33]])], False, (1, 1, 1), 7
        )
    elif kind == 3:
        angles = np.arange(8) * np.pi / 4 + np.pi / 8
        octagon = (31.5 + 31 * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.int32)
        cv2.fillPoly(alpha, [octagon], 1.0)
        rgb[:] = red
        rgb[26:38, 10:54] = 0.97
    elif kind == 4:
        rgb[:], alpha[:] = (0.05, 0.4, 0.2), 1
        rgb[4:60, 4:8] = rgb[4:60, 56:60] = rgb[4:8, 4:60] = rgb[56:60, 4:60] = 0.95
        for y in (16, 30, 44):
            rgb[y : y + 7, 14 : 44 + y % 9] = 0.95
    else:
        alpha[:, 14:50] = 1
        rgb[:] = 0.08
        for y, colour in ((12, (0.95, 0.15, 0.1)), (32, (0.4, 0.3, 0.05)), (52, (0.1, 0.35, 0.12))):
            cv2.circle(rgb, (32, y), 8, colour, -1)
    return Texture(rgb, np.zeros((n, n), np.float32), alpha)


def _shadows(rng: Rng) -> dict[str, Texture]:
    """Soft blots that darken the ground: under a solid thing, and under leaves."""
    n = 64
    solid = np.zeros((n, n), np.float32)
    solid[10:-10, 10:-10] = 1
    solid = cv2.GaussianBlur(solid, (0, 0), 4)
    n = 128
    y, x = np.mgrid[:n, :n].astype(np.float32) / n - 0.5
    leaves = np.clip(1.9 - 4.6 * np.hypot(x, y) + 0.42 * _noise(rng, n, n, 1.1), 0, 1)
    leaves = cv2.GaussianBlur(leaves.astype(np.float32), (0, 0), 1.2)
    leaves[:2] = leaves[-2:] = leaves[:, :2] = leaves[:, -2:] = 0
    return {
        "solid_shadow": Texture(np.zeros((64, 64, 3), np.float32), 0 * solid, solid),
        "leaf_shadow": Texture(np.zeros((n, n, 3), np.float32), 0 * leaves, leaves),
    }


@functools.lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The one atlas of the process, painted on first use."""
    rng = np.random.default_rng(20240229)
    textures = _ground(rng) | {"cloud": _cloud(rng)} | _shadows(rng) | _car_parts() | _person()
    textures |= {f"facade{i}": _facade(rng, i) for i in range(FACADES)}
    textures |= {f"shop{i}": _shop(rng, i) for i in range(SHOPS)}
    textures |= {f"tree{i}": _tree(rng, i) for i in range(TREES)}
    textures |= {f"sign{i}": _sign(i) for i in range(SIGNS)}
    textures |= {f"car{i}": _car_side(profile) for i, profile in enumerate(CAR_PROFILES)}
    n = 64
    plain = _grey(0.85 + 0.05 * _noise(rng, n, n, 1.0))
    tiles = np.where(np.arange(n)[:, None] % 8 < 2, 0.45, 0.8) + 0.06 * _noise(rng, n, n, 0.3)
    tube = np.tile(np.interp(np.arange(16), [0, 4, 15], [0.7, 1, 0.3]).astype(np.float32), (16, 1))
    hedge = _grey(0.5 + 0.2 * _noise(rng, n, n, 0.6))
    one = np.ones((n, n), np.float32)
    y, x = np.mgrid[:n, :n] / n
    gable = (np.abs(x - 0.5) * 2 < y).astype(np.float32)
    textures["gable"] = Texture(plain, one, gable)
    textures |= {"plain": Texture(plain, one, wrap=True), "roof": Texture(_grey(tiles), one, wrap=True)}
    textures |= {"tube": Texture(_grey(tube), np.ones((16, 16), np.float32)), "hedge": Texture(hedge, one, wrap=True)}
    return Atlas(textures)

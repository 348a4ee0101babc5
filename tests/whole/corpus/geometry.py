"""Geometry and graphics: distances, shapes, curves, colours, shading."""

from collections import namedtuple

import numpy as np

from tests.whole.corpus.case import case

Point = namedtuple("Point", "x y")


def distance(p, q):
    return np.hypot(q.x - p.x, q.y - p.y)


def manhattan(a, b):
    return sum(abs(x - y) for x, y in zip(a, b))


def chebyshev(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def minkowski(a, b, p=3):
    return np.sum(np.abs(a - b) ** p) ** (1 / p)


def angle_between(u, v):
    c = np.dot(u, v) / (np.linalg.norm(u) * np.linalg.norm(v))
    return np.arccos(np.clip(c, -1.0, 1.0))


def triangle_area(a, b, c):
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a))


def heron(a, b, c):
    if a + b <= c or b + c <= a or a + c <= b:
        return 0.0
    s = (a + b + c) / 2
    return np.sqrt(s * (s - a) * (s - b) * (s - c))


def shoelace(xy):
    x, y = xy[:, 0], xy[:, 1]
    return 0.5 * np.abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def perimeter(points):
    closed = points + [points[0]]
    return sum(np.hypot(b[0] - a[0], b[1] - a[1]) for a, b in zip(closed, closed[1:]))


def point_to_segment(p, a, b):
    ab = b - a
    t = np.dot(p - a, ab) / np.dot(ab, ab)
    t = max(0.0, min(1.0, t))
    return np.linalg.norm(p - (a + t * ab))


def point_to_plane(p, normal, offset=0.5):
    n = normal / np.linalg.norm(normal)
    return abs(n @ p - offset)


def ray_sphere(origin, direction, radius=1.0):
    d = direction / np.sqrt((direction**2).sum())
    b = origin @ d
    disc = b**2 - (origin @ origin - radius**2)
    if disc < 0:
        return np.inf
    return -b - np.sqrt(disc)


def sdf_circle(p, r=1.0):
    return np.sqrt(p[0] ** 2 + p[1] ** 2) - r


def sdf_box(p, half=(1.0, 0.5)):
    q = np.abs(p) - half
    return np.linalg.norm(np.maximum(q, 0)) + min(max(q[0], q[1]), 0)


def smooth_union(d1, d2, k=0.4):
    h = np.clip(0.5 + 0.5 * (d2 - d1) / k, 0, 1)
    return d2 * (1 - h) + d1 * h - k * h * (1 - h)


def smoothstep(x, edge0=0.0, edge1=1.0):
    t = np.clip((x - edge0) / (edge1 - edge0), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def lerp(a, b, t):
    return a + (b - a) * t


def inverse_lerp(a, b, v):
    return (v - a) / (b - a) if a != b else 0.0


def bezier(t, points):
    points = list(points)
    while len(points) > 1:
        points = [(1 - t) * a + t * b for a, b in zip(points[:-1], points[1:])]
    return points[0]


def bezier_length(control, n=6):
    t = np.linspace(0, 1, n)[:, None]
    p0, p1, p2 = control
    curve = (1 - t) ** 2 * p0 + 2 * t * (1 - t) * p1 + t**2 * p2
    return np.linalg.norm(np.diff(curve, axis=0), axis=1).sum()


def catmull_rom(p, t=0.4):
    p0, p1, p2, p3 = p
    return 0.5 * (
        2 * p1
        + (-p0 + p2) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (-p0 + 3 * p1 - 3 * p2 + p3) * t**3
    )


def cubic_ease(t):
    return 4 * t**3 if t < 0.5 else 1 - (-2 * t + 2) ** 3 / 2


def srgb_to_linear(c):
    if c <= 0.04045:
        return c / 12.92
    return ((c + 0.055) / 1.055) ** 2.4


def linear_to_srgb(rgb):
    low = rgb * 12.92
    high = 1.055 * np.power(rgb, 1 / 2.4) - 0.055
    return np.where(rgb <= 0.0031308, low, high).mean()


def luminance(rgb):
    return np.dot(rgb, [0.2126, 0.7152, 0.0722])


def saturation(r, g, b):
    high, low = max(r, g, b), min(r, g, b)
    return 0.0 if high == 0 else (high - low) / high


def lambert(normal, light, albedo=0.8):
    n = normal / np.linalg.norm(normal)
    to_light = light / np.linalg.norm(light)
    return albedo * max(0.0, n @ to_light)


def blinn_phong(n, l, v, shininess=8):
    h = (l + v) / np.linalg.norm(l + v)
    diffuse = np.maximum(n @ l, 0)
    specular = np.maximum(n @ h, 0) ** shininess if diffuse > 0 else 0
    return 0.6 * diffuse + 0.4 * specular


def schlick(cos_theta, f0=0.04):
    return f0 + (1 - f0) * (1 - cos_theta) ** 5


def reinhard(x, white=4.0):
    return x * (1 + x / white**2) / (1 + x)


def aces(x):
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)


def look_at_depth(eye, target, p, up=(0.0, 1.0, 0.0)):
    f = (target - eye) / np.linalg.norm(target - eye)
    s = np.cross(f, up)
    s = s / np.linalg.norm(s)
    u = np.cross(s, f)
    view = np.stack([s, u, -f])
    return (view @ (p - eye))[2]


def barycentric(p, a, b, c):
    v0, v1, v2 = b - a, c - a, p - a
    d00, d01, d11 = v0 @ v0, v0 @ v1, v1 @ v1
    d20, d21 = v2 @ v0, v2 @ v1
    return (d11 * d20 - d01 * d21) / (d00 * d11 - d01 * d01)


def spherical_to_cartesian(r, theta, phi):
    return np.array(
        [r * np.sin(theta) * np.cos(phi), r * np.sin(theta) * np.sin(phi), r * np.cos(theta)]
    )


def torus_volume(R, r):
    return 2 * np.pi**2 * R * r**2


def ellipse_perimeter(a, b):
    h = ((a - b) / (a + b)) ** 2
    return np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))


def frustum(r1, r2, h):
    return np.pi * h * (r1 * r1 + r1 * r2 + r2 * r2) / 3


def det3(m):
    return m[0] @ np.cross(m[1], m[2])


def determinant(m):
    return np.linalg.det(m)


def nearest(point, cloud):
    distances = [((point - c) ** 2).sum() for c in cloud]
    return min(distances)


def hausdorff(A, B):
    d = np.sqrt(((A[:, None] - B[None]) ** 2).sum(axis=2))
    return np.maximum(d.min(axis=1).max(), d.min(axis=0).max())


A, B, C = np.array([0.1, 0.2]), np.array([2.0, 0.3]), np.array([0.7, 1.9])
U, V = np.array([0.6, -0.2, 0.9]), np.array([0.3, 0.8, 0.4])

CASES = (
    case(distance, Point(0.1, 0.2), Point(1.0, -0.7)),
    case(manhattan, (0.1, 0.2), (1.0, -0.7)),
    case(chebyshev, (0.1, 0.2), (1.0, -0.6)),
    case(minkowski, U, V),
    case(angle_between, U, V),
    case(triangle_area, U, V, U * V + 1),
    case(heron, 3.0, 4.0, 4.5),
    case(shoelace, np.array([A, B, C])),
    case(perimeter, [(0.0, 0.1), (1.0, 0.3), (0.4, 1.2)]),
    case(point_to_segment, C, A, B),
    case(point_to_plane, U, V),
    case(ray_sphere, np.array([0.1, 0.2, -3.0]), np.array([0.05, -0.02, 1.0])),
    case(sdf_circle, A),
    case(sdf_box, np.array([1.4, -0.8])),
    case(smooth_union, 0.3, 0.45),
    case(smoothstep, 0.3),
    case(lerp, 0.3, 0.9, 0.2),
    case(inverse_lerp, 0.3, 0.9, 0.5),
    case(bezier, 0.3, [0.0, 1.0, 0.5, 2.0]),
    case(bezier_length, np.array([A, B, C])),
    case(catmull_rom, [0.0, 1.0, 0.5, 2.0]),
    case(cubic_ease, 0.7),
    case(srgb_to_linear, 0.6),
    case(linear_to_srgb, np.array([0.001, 0.3, 0.8])),
    case(luminance, np.array([0.1, 0.3, 0.8])),
    case(saturation, 0.1, 0.3, 0.8),
    case(lambert, U, V),
    case(blinn_phong, U, V, np.array([0.1, 0.3, 0.8])),
    case(schlick, 0.6),
    case(reinhard, 1.7),
    case(aces, 0.5),
    case(look_at_depth, U, V, U + 2 * V),
    case(barycentric, (A + B + C) / 3, A, B, C),
    case(spherical_to_cartesian, 1.2, 0.4, 0.9),
    case(torus_volume, 2.0, 0.5),
    case(ellipse_perimeter, 2.0, 0.7),
    case(frustum, 1.0, 0.6, 2.0),
    case(det3, np.array([U, V, U[::-1]])),
    case(determinant, np.array([U, V, U[::-1]])),
    case(nearest, A, [B, C]),
    case(hausdorff, np.array([A, B]), np.array([C, A + 0.2])),
)

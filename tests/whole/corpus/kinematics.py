"""Robots, rigid bodies, orbits, vehicles."""

from dataclasses import dataclass, replace

import numpy as np

from tests.whole.corpus.case import case


def projectile_range(v, angle, g=9.81):
    return v**2 * np.sin(2 * angle) / g


def projectile_height(t, v0, h0=0.0, g=9.81):
    return max(h0 + v0 * t - 0.5 * g * t**2, 0.0)


def trapezoidal_profile(t, v_max=1.0, a=2.0, distance=3.0):
    t_acc = v_max / a
    t_cruise = (distance - v_max * t_acc) / v_max
    if t < t_acc:
        return 0.5 * a * t**2
    if t < t_acc + t_cruise:
        return 0.5 * v_max * t_acc + v_max * (t - t_acc)
    tau = 2 * t_acc + t_cruise - t
    return distance - 0.5 * a * tau**2


def stopping_distance(v, reaction=1.2, mu=0.7, g=9.81):
    return v * reaction + v * v / (2 * mu * g)


def planar_arm(q, lengths):
    x = y = angle = 0.0
    for qi, li in zip(q, lengths):
        angle += qi
        x += li * np.cos(angle)
        y += li * np.sin(angle)
    return x, y


def reach_error(q, target, lengths=(1.0, 0.8, 0.5)):
    angles = np.cumsum(q)
    tip = np.array([np.dot(lengths, np.cos(angles)), np.dot(lengths, np.sin(angles))])
    return np.linalg.norm(tip - target)


def rot2d(theta):
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s], [s, c]])


def rot_z(a):
    return np.array([[np.cos(a), -np.sin(a), 0.0], [np.sin(a), np.cos(a), 0.0], [0.0, 0.0, 1.0]])


def euler_to_matrix(roll, pitch, yaw):
    cr, sr = np.cos(roll), np.sin(roll)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cy, sy = np.cos(yaw), np.sin(yaw)
    rx = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    ry = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    rz = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return rz @ ry @ rx


def rotated_point(angles, p):
    return (euler_to_matrix(*angles) @ p)[0]


def rodrigues(w, p):
    theta = np.sqrt(w @ w)
    if theta < 1e-12:
        return np.sum(p + np.cross(w, p))
    k = w / theta
    c, s = np.cos(theta), np.sin(theta)
    return np.sum(p * c + np.cross(k, p) * s + k * (k @ p) * (1 - c))


@dataclass
class Camera:
    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    k1: float = 0.0
    k2: float = 0.0


def reprojection_error(camera: Camera, point, observed):
    theta = np.linalg.norm(camera.rotation)
    if theta != 0:
        axis = camera.rotation / theta
        rotated = (
            point * np.cos(theta)
            + np.cross(axis, point) * np.sin(theta)
            + axis * np.dot(axis, point) * (1 - np.cos(theta))
        )
    else:
        rotated = point
    p = rotated + camera.translation
    xy = -p[:2] / p[2]
    r2 = np.sum(xy**2)
    distortion = 1 + camera.k1 * r2 + camera.k2 * r2**2
    return np.sum((camera.focal * distortion * xy - observed) ** 2)


def skew(v):
    x, y, z = v
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def quaternion_multiply(q, r):
    w0, x0, y0, z0 = q
    w1, x1, y1, z1 = r
    return np.array(
        [
            w0 * w1 - x0 * x1 - y0 * y1 - z0 * z1,
            w0 * x1 + x0 * w1 + y0 * z1 - z0 * y1,
            w0 * y1 - x0 * z1 + y0 * w1 + z0 * x1,
            w0 * z1 + x0 * y1 - y0 * x1 + z0 * w1,
        ]
    )


def rotate_by_quaternion(q, v):
    q = q / np.linalg.norm(q)
    conjugate = q * np.array([1, -1, -1, -1])
    pure = np.concatenate([[0.0], v])
    return quaternion_multiply(quaternion_multiply(q, pure), conjugate)[1:].sum()


def quaternion_angle(q, r):
    d = abs(np.dot(q, r))
    return 2 * np.arccos(min(d, 1.0))


def slerp_weight(t, omega):
    if abs(omega) < 1e-6:
        return 1 - t
    return np.sin((1 - t) * omega) / np.sin(omega)


def denavit_hartenberg(theta, d, a, alpha):
    ct, st, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
    return np.array(
        [
            [ct, -st * ca, st * sa, a * ct],
            [st, ct * ca, -ct * sa, a * st],
            [0, sa, ca, d],
            [0, 0, 0, 1],
        ]
    )


def arm_height(joints, table=((0.3, 0.0, np.pi / 2), (0.0, 0.5, 0.0), (0.0, 0.4, 0.0))):
    T = np.eye(4)
    for theta, (d, a, alpha) in zip(joints, table):
        T = T @ denavit_hartenberg(theta, d, a, alpha)
    return T[2, 3]


def bicycle_model(state, steer, wheelbase=2.5, dt=0.1, steps=3):
    x, y, heading, v = state
    for _ in range(steps):
        x = x + v * np.cos(heading) * dt
        y = y + v * np.sin(heading) * dt
        heading = heading + v / wheelbase * np.tan(steer) * dt
    return x**2 + y**2


def pacejka(slip, B=10.0, C=1.9, D=1.0, E=0.97):
    return D * np.sin(C * np.arctan(B * slip - E * (B * slip - np.arctan(B * slip))))


def kepler_anomaly(M, e, iterations=5):
    E = M
    for _ in range(iterations):
        E = E - (E - e * np.sin(E) - M) / (1 - e * np.cos(E))
    return E


def orbital_radius(nu, a, e):
    return a * (1 - e**2) / (1 + e * np.cos(nu))


def specific_energy(r, v, mu=1.0):
    return v @ v / 2 - mu / np.linalg.norm(r)


def haversine(lat1, lon1, lat2, lon2, radius=6371.0):
    dlat, dlon = lat2 - lat1, lon2 - lon1
    h = np.sin(dlat / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin(dlon / 2) ** 2
    return 2 * radius * np.arcsin(np.sqrt(h))


def bearing(lat1, lon1, lat2, lon2):
    dlon = lon2 - lon1
    y = np.sin(dlon) * np.cos(lat2)
    x = np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(dlon)
    return np.degrees(np.arctan2(y, x)) % 360


def ball_height_with_bounce(v, t=1.3, g=9.81, restitution=0.8):
    flight = 2 * v / g
    if t <= flight:
        return v * t - g * t**2 / 2
    t = t - flight
    return restitution * v * t - g * t**2 / 2


@dataclass(frozen=True)
class State:
    x: float
    v: float

    def step(self, force, dt):
        v = self.v + force * dt
        return replace(self, x=self.x + v * dt, v=v)


def spring_after(state: State, k, dt=0.1, steps=4):
    for _ in range(steps):
        state = state.step(-k * state.x, dt)
    return state.x


def verlet_energy(x, v, *, dt=0.05, steps=5):
    a = -np.sin(x)
    for _ in range(steps):
        x = x + v * dt + 0.5 * a * dt**2
        new = -np.sin(x)
        v = v + 0.5 * (a + new) * dt
        a = new
    return 0.5 * v**2 + 1 - np.cos(x)


Q = np.array([0.8, 0.3, -0.4, 0.2])
P = np.array([0.3, -1.1, 0.7])

CASES = (
    case(projectile_range, 20.0, 0.6),
    case(projectile_height, 0.8, 9.0),
    case(trapezoidal_profile, 0.3),
    case(trapezoidal_profile, 1.7),
    case(stopping_distance, 25.0),
    case(planar_arm, [0.3, 0.5], [1.0, 0.7]),
    case(reach_error, np.array([0.3, 0.5, -0.2]), np.array([1.5, 1.0])),
    case(rot2d, 0.4),
    case(rot_z, 0.4),
    case(rotated_point, (0.1, 0.2, 0.3), P),
    case(rodrigues, np.array([0.2, -0.3, 0.5]), P),
    case(
        reprojection_error,
        Camera(np.array([0.1, -0.2, 0.3]), np.array([0.1, 0.2, -4.0]), 500.0, 1e-2, 1e-3),
        P,
        np.array([10.0, -80.0]),
    ),
    case(skew, P),
    case(rotate_by_quaternion, Q, P),
    case(quaternion_angle, Q, np.array([0.7, 0.1, -0.3, 0.4])),
    case(slerp_weight, 0.3, 1.1),
    case(arm_height, np.array([0.2, 0.6, -0.4])),
    case(bicycle_model, (0.5, 0.2, 0.3, 5.0), 0.1),
    case(pacejka, 0.08),
    case(kepler_anomaly, 1.1, 0.3),
    case(orbital_radius, 0.9, 1.2, 0.3),
    case(specific_energy, P, P[::-1]),
    case(haversine, 0.9, 0.1, 0.7, 0.4),
    case(bearing, 0.9, 0.4, 0.7, 0.1),
    case(ball_height_with_bounce, 5.0),
    case(spring_after, State(1.0, 0.2), 2.0),
    case(State(1.0, 0.2).step, 1.0, 0.1),
    case(verlet_energy, 0.8, 0.3),
)

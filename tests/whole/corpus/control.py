"""Control, estimation and small solvers of differential equations."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tests.whole.corpus.case import case


def proportional(error, kp=2.0, limit=1.0):
    return max(-limit, min(limit, kp * error))


class PID:
    def __init__(self, kp, ki, kd, dt=0.1):
        self.kp, self.ki, self.kd, self.dt = kp, ki, kd, dt

    def total_effort(self, errors):
        integral, previous, effort = 0.0, 0.0, 0.0
        for e in errors:
            integral += e * self.dt
            derivative = (e - previous) / self.dt
            effort += (self.kp * e + self.ki * integral + self.kd * derivative) ** 2
            previous = e
        return effort


def pid_tracking_cost(gains, setpoint=1.0, dt=0.1, steps=5):
    x = integral = cost = 0.0
    for _ in range(steps):
        e = setpoint - x
        integral += e * dt
        u = gains["kp"] * e + gains["ki"] * integral
        x += dt * (-x + u)
        cost += e**2 + 0.01 * u**2
    return cost


def dead_zone(u, width=0.1):
    if u > width:
        return u - width
    elif u < -width:
        return u + width
    else:
        return 0.0


def hysteresis(u, state=False, high=0.6, low=0.4):
    on = u > high or (state and u > low)
    return 2 * u if on else u


def rate_limit(target, current, max_step=0.2):
    return current + np.clip(target - current, -max_step, max_step)


def saturation_smooth(u, limit=1.0):
    return limit * u / (limit + abs(u))


def lqr_cost(K, x, A, B, horizon=4):
    cost = 0
    for _ in range(horizon):
        u = -K @ x
        cost += x @ x + 0.1 * u @ u
        x = A @ x + B @ u
    return cost


def transfer_magnitude(omega, zeta=0.3, wn=2.0):
    s = 1j * omega
    return abs(wn**2 / (s**2 + 2 * zeta * wn * s + wn**2))


def second_order_gain(omega, zeta, wn):
    r = omega / wn
    return 1 / np.sqrt((1 - r**2) ** 2 + (2 * zeta * r) ** 2)


def step_response(t, zeta, wn):
    if zeta < 1:
        wd = wn * np.sqrt(1 - zeta**2)
        return 1 - np.exp(-zeta * wn * t) * (np.cos(wd * t) + zeta * wn / wd * np.sin(wd * t))
    elif zeta == 1:
        return 1 - np.exp(-wn * t) * (1 + wn * t)
    root = np.sqrt(zeta**2 - 1)
    a, b = wn * (zeta - root), wn * (zeta + root)
    return 1 - (b * np.exp(-a * t) - a * np.exp(-b * t)) / (b - a)


def kalman_1d(measurements, q=0.01, r=0.5):
    x, p = 0.0, 1.0
    for z in measurements:
        p = p + q
        k = p / (p + r)
        x = x + k * (z - x)
        p = (1 - k) * p
    return x


def kalman_step(x, P, z, dt=0.1, q=0.01):
    F = np.array([[1.0, dt], [0.0, 1.0]])
    x, P = F @ x, F @ P @ F.T + q * np.eye(2)
    S = P + 0.5 * np.eye(2)
    gain = np.linalg.solve(S.T, P.T).T
    return x + gain @ (z - x), np.linalg.det((np.eye(2) - gain) @ P)


def kalman_loglik(log_q, log_r, z):
    q, r = np.exp(log_q), np.exp(log_r)
    x, p, total = z[0], r, 0.0
    for value in z[1:]:
        p += q
        s = p + r
        innovation = value - x
        total -= 0.5 * (np.log(2 * np.pi * s) + innovation**2 / s)
        x += p / s * innovation
        p *= 1 - p / s
    return total


def complementary_filter(gyro, accel, alpha=0.98, dt=0.01):
    angle = accel[0]
    for w, a in zip(gyro, accel):
        angle = alpha * (angle + w * dt) + (1 - alpha) * a
    return angle


def euler(f: Callable, y, t1=1.0, n=10):
    h = t1 / n
    for k in range(n):
        y = y + h * f(k * h, y)
    return y


def decay_by_euler(y0, rate):
    return euler(lambda t, y: -rate * y, y0)


def rk4_step(f, t, y, h):
    k1 = f(t, y)
    k2 = f(t + h / 2, y + h / 2 * k1)
    k3 = f(t + h / 2, y + h / 2 * k2)
    k4 = f(t + h, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def pendulum_rk4(theta0, omega0, damping=0.1, h=0.1, steps=3):
    def f(t, y):
        return np.array([y[1], -np.sin(y[0]) - damping * y[1]])

    y = np.array([theta0, omega0])
    for k in range(steps):
        y = rk4_step(f, k * h, y, h)
    return y[0]


def van_der_pol(y, mu=1.5, h=0.05, steps=4):
    x, v = y
    for _ in range(steps):
        x, v = x + h * v, v + h * (mu * (1 - x**2) * v - x)
    return x * v


def lorenz_distance(p, *, sigma=10.0, rho=28.0, beta=8 / 3, dt=0.01, steps=3):
    for _ in range(steps):
        x, y, z = p
        p = p + dt * np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])
    return np.linalg.norm(p)


def heat_equation(u, alpha=0.1, steps=3):
    for _ in range(steps):
        inner = u[1:-1] + alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
        u = np.concatenate([u[:1], inner, u[-1:]])
    return (u**2).sum()


def heat_in_place(u, alpha=0.1, steps=2):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u.sum()


def upwind(u, c, dx=0.1, dt=0.02):
    if c > 0:
        flux = (u[1:] - u[:-1]) / dx
        return np.sum((u[1:] - c * dt * flux) ** 2)
    flux = (u[1:] - u[:-1]) / dx
    return np.sum((u[:-1] - c * dt * flux) ** 2)


def minmod(a, b):
    if a * b <= 0:
        return 0.0
    return a if abs(a) < abs(b) else b


def van_leer(r):
    return (r + abs(r)) / (1 + abs(r))


def tridiagonal(a, b, c, d):
    n = len(d)
    cp, dp = [c[0] / b[0]], [d[0] / b[0]]
    for i in range(1, n):
        m = b[i] - a[i] * cp[-1]
        cp.append(c[i] / m)
        dp.append((d[i] - a[i] * dp[-1]) / m)
    x = dp[-1]
    total = x
    for i in reversed(range(n - 1)):
        x = dp[i] - cp[i] * x
        total = total + x
    return total


def solve_linear(A, b):
    return np.linalg.solve(A, b).sum()


def cramer(a, b):
    det = a[0][0] * a[1][1] - a[0][1] * a[1][0]
    x = (b[0] * a[1][1] - a[0][1] * b[1]) / det
    y = (a[0][0] * b[1] - b[0] * a[1][0]) / det
    return x + 2 * y


def gauss_elimination(A, b):
    A, b = A.copy(), b.copy()
    n = len(b)
    for i in range(n):
        for j in range(i + 1, n):
            f = A[j, i] / A[i, i]
            A[j] -= f * A[i]
            b[j] -= f * b[i]
    x = np.zeros_like(b)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x.sum()


def cholesky_logdet(S):
    n = len(S)
    L = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            s = S[i][j] - sum(L[i][k] * L[j][k] for k in range(j))
            L[i][j] = np.sqrt(s) if i == j else s / L[j][j]
    return 2 * sum(np.log(L[i][i]) for i in range(n))


def power_iteration(A, n=4):
    v = np.ones(len(A)) / np.sqrt(len(A))
    for _ in range(n):
        v = A @ v
        v = v / np.linalg.norm(v)
    return v @ A @ v


def simpson(a, b, n=8):
    h = (b - a) / n
    total = np.exp(-a * a) + np.exp(-b * b)
    for k in range(1, n):
        total += (4 if k % 2 else 2) * np.exp(-((a + k * h) ** 2))
    return total * h / 3


def gauss_legendre(f, a, b, n=4):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    x = 0.5 * (b - a) * nodes + 0.5 * (a + b)
    return 0.5 * (b - a) * np.sum(weights * f(x))


def trapezoid_of_samples(y, x):
    return np.trapezoid(y, x)


def horner(coefficients, x):
    result = 0
    for c in coefficients:
        result = result * x + c
    return result


def chebyshev(c, x):
    b1 = b2 = 0.0
    for ck in c[:0:-1]:
        b1, b2 = 2 * x * b1 - b2 + ck, b1
    return x * b1 - b2 + c[0]


def spline_segment(t, y0, y1, m0, m1):
    h00 = 2 * t**3 - 3 * t**2 + 1
    h10 = t**3 - 2 * t**2 + t
    h01 = -2 * t**3 + 3 * t**2
    h11 = t**3 - t**2
    return h00 * y0 + h10 * m0 + h01 * y1 + h11 * m1


def piecewise(x):
    return np.piecewise(x, [x < 0, x >= 0], [lambda x: -x, lambda x: x**2]).sum()


def selected(x):
    return np.select([x < 0, x < 1], [x**2, 2 * x], default=2.0).sum()


def lookup(x, table={"low": 0.5, "high": 2.0}):
    return x * table["low"] if x < 1 else x * table["high"]


def filled_by_loop(x):
    out = np.zeros(len(x))
    for i in range(len(x)):
        out[i] = np.sin(x[i]) * i
    return out.sum()


@dataclass(frozen=True)
class Thermostat:
    target: float
    band: float = 0.5

    def __call__(self, temperature):
        if temperature < self.target - self.band:
            return 1.0
        if temperature > self.target + self.band:
            return 0.0
        return (self.target + self.band - temperature) / (2 * self.band)


A2 = np.array([[1.0, 0.1], [-0.2, 0.9]])
SAMPLES = np.array([0.2, 0.5, 0.3, 0.8])

CASES = (
    case(proportional, 0.3),
    case(PID(2.0, 0.5, 0.1).total_effort, SAMPLES),
    case(pid_tracking_cost, {"kp": 2.0, "ki": 0.7}),
    case(dead_zone, -0.4),
    case(hysteresis, 0.5),
    case(hysteresis, 0.5, state=True),
    case(rate_limit, 0.5, 0.4),
    case(saturation_smooth, -0.7),
    case(lqr_cost, np.array([[0.3, 0.2]]), np.array([1.0, -0.5]), A2, np.array([[0.0], [0.1]])),
    case(transfer_magnitude, 1.5, refusal="complex"),
    case(second_order_gain, 1.5, 0.3, 2.0),
    case(step_response, 1.5, 0.3, 2.0),
    case(step_response, 1.5, 1.4, 2.0),
    case(kalman_1d, SAMPLES),
    case(kalman_loglik, -1.0, -0.5, SAMPLES),
    case(complementary_filter, SAMPLES, SAMPLES[::-1]),
    case(decay_by_euler, 2.0, 0.7),
    case(pendulum_rk4, 0.5, 0.1),
    case(van_der_pol, (0.5, 0.1)),
    case(lorenz_distance, np.array([1.0, 2.0, 20.0])),
    case(heat_equation, SAMPLES),
    case(heat_in_place, SAMPLES),
    case(upwind, SAMPLES, -0.8),
    case(minmod, 0.4, 0.7),
    case(van_leer, 0.7),
    case(tridiagonal, [0.0, 0.1, 0.2], [2.0, 2.1, 1.9], [0.3, 0.2, 0.0], [1.0, 0.5, 0.7]),
    case(solve_linear, A2, SAMPLES[:2]),
    case(cramer, [[1.0, 0.3], [0.2, 0.9]], [0.5, 0.4]),
    case(gauss_elimination, A2 + np.eye(2), SAMPLES[:2]),
    case(cholesky_logdet, [[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.8]]),
    case(power_iteration, A2),
    case(simpson, 0.1, 1.3),
    case(gauss_legendre, lambda x: np.exp(-(x**2)), 0.1, 1.3),
    case(partial(gauss_legendre, np.sin), 0.1, 1.3),
    case(trapezoid_of_samples, SAMPLES, np.cumsum(SAMPLES)),
    case(horner, [1.0, -2.0, 0.5], 0.7),
    case(chebyshev, [0.3, 0.5, 0.2, 0.1], 0.4),
    case(spline_segment, 0.3, 1.0, 2.0, 0.5, -0.5),
    case(piecewise, SAMPLES - 0.4),
    case(selected, 3 * SAMPLES - 0.8),
    case(lookup, 0.4),
    case(filled_by_loop, SAMPLES, refusal="dtype=object"),
    case(Thermostat(20.0), 20.2),
    case(kalman_step, np.array([0.3, -0.2]), np.diag([1.0, 0.5]) + 0.1, np.array([0.5, 0.1])),
)

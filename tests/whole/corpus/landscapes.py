"""Test functions of optimisation, and losses with constraints and penalties."""

import numpy as np

from tests.whole.corpus.case import case

P = np.array([0.7, -0.4, 1.2])


def sphere(x):
    return sum(xi**2 for xi in x)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosen_lists(x):
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def rastrigin(x, A=10):
    return A * len(x) + sum(xi**2 - A * np.cos(2 * np.pi * xi) for xi in x)


def ackley(x, a=20, b=0.2, c=2 * np.pi):
    n = len(x)
    s1 = np.sqrt(np.sum(x**2) / n)
    s2 = np.sum(np.cos(c * x)) / n
    return -a * np.exp(-b * s1) - np.exp(s2) + a + np.e


def griewank(x):
    i = np.arange(1, x.size + 1)
    return 1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(i)))


def beale(x, y):
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def booth(xy):
    x, y = xy
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def matyas(x):
    return 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1]


def goldstein_price(x, y):
    a = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    b = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return a * b


def branin(x1, x2):
    a, b, c, r, s, t = 1, 5.1 / (4 * np.pi**2), 5 / np.pi, 6, 10, 1 / (8 * np.pi)
    return a * (x2 - b * x1**2 + c * x1 - r) ** 2 + s * (1 - t) * np.cos(x1) + s


def six_hump_camel(x, y):
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (-4 + 4 * y**2) * y**2


def levy(x):
    w = 1 + (x - 1) / 4
    head = np.sin(np.pi * w[0]) ** 2
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return head + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)


def schwefel(x):
    return 418.9829 * len(x) - np.sum(x * np.sin(np.sqrt(np.abs(x))))


def styblinski_tang(x):
    return np.sum(x**4 - 16 * x**2 + 5 * x) / 2


def michalewicz(x, m=5):
    i = np.arange(1, len(x) + 1)
    return -np.sum(np.sin(x) * np.sin(i * x**2 / np.pi) ** (2 * m))


def easom(x, y):
    return -np.cos(x) * np.cos(y) * np.exp(-((x - np.pi) ** 2) - (y - np.pi) ** 2)


def eggholder(x, y):
    return -(y + 47) * np.sin(np.sqrt(abs(x / 2 + y + 47))) - x * np.sin(np.sqrt(abs(x - y - 47)))


def cross_in_tray(x, y):
    inner = abs(np.sin(x) * np.sin(y) * np.exp(abs(2 - np.sqrt(x**2 + y**2) / np.pi)))
    return -0.0001 * (inner + 1) ** 0.1


def bukin(x, y):
    return 100 * np.sqrt(abs(y - 0.01 * x**2)) + 0.01 * abs(x + 10)


def step_function(x):
    return np.sum(np.floor(x + 0.5) ** 2) + 0.1 * np.sum(x)


def powell_singular(x):
    a, b, c, d = x
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


def zakharov(x):
    s = np.dot(0.5 * np.arange(1, len(x) + 1), x)
    return np.sum(x**2) + s**2 + s**4


def quadratic_form(x, A, b):
    return 0.5 * x.T @ A @ x - b.T @ x


def trid(x):
    total = (x[0] - 1) ** 2
    for i in range(1, len(x)):
        total += (x[i] - 1) ** 2 - x[i] * x[i - 1]
    return total


def log_barrier(x, mu=0.1):
    if np.any(x <= 0):
        return np.inf
    return np.sum(x) - mu * np.sum(np.log(x))


def quadratic_penalty(x, y, rho=10.0):
    violation = max(0, 1 - x - y)
    return x**2 + 2 * y**2 + rho * violation**2


def augmented_lagrangian(x, lam, rho=5.0):
    c = x @ x - 1
    return x.sum() + lam * c + rho / 2 * c * c


def project_on_box(x, low=-0.5, high=0.8):
    return np.minimum(np.maximum(x, low), high) @ np.array([1.0, 2.0, 3.0])


def project_on_simplex_distance(x):
    u = np.sort(x)[::-1]
    css = np.cumsum(u)
    k = np.arange(1, len(x) + 1)
    theta = ((css - 1) / k)[(u - (css - 1) / k > 0)][-1]
    return np.sum(np.maximum(x - theta, 0) ** 2)


def soft_threshold(x, lam):
    if x > lam:
        return x - lam
    if x < -lam:
        return x + lam
    return 0


def minimax(x, y):
    return max(x**2 + y, (2 - x) ** 2, 2 * np.exp(y - x))


def newton_sqrt(a, tolerance=1e-12):
    x = a
    while abs(x * x - a) > tolerance:
        x = 0.5 * (x + a / x)
    return x


def gradient_descent(x, rate=0.1, steps=5):
    for _ in range(steps):
        x = x - rate * (4 * x**3 - 2 * x)
    return x**2


def fixed_point(a, n=6):
    x = 1.0
    for _ in range(n):
        x = np.cos(a * x)
    return x


def line_search(x, steps=3, shrink=0.5):
    t = 1.0
    for _ in range(steps):
        if (x - t * 2 * x) ** 2 < x**2:
            break
        t *= shrink
    return (x - t * 2 * x) ** 2 + x


def golden_section(c, n=3):
    low, high, phi = 0.0, 2.0, (np.sqrt(5) - 1) / 2
    for _ in range(n):
        a, b = high - phi * (high - low), low + phi * (high - low)
        if (a - c) ** 2 < (b - c) ** 2:
            high = b
        else:
            low = a
    return (low + high) * c


CASES = (
    case(sphere, [0.7, -0.4]),
    case(rosenbrock, P),
    case(rosen_lists, [0.7, -0.4, 1.2]),
    case(rastrigin, P),
    case(ackley, P),
    case(griewank, P),
    case(beale, 0.7, -0.4),
    case(booth, (0.7, -0.4)),
    case(himmelblau, 0.7, -0.4),
    case(matyas, P),
    case(goldstein_price, 0.7, -0.4),
    case(branin, 0.7, -0.4),
    case(six_hump_camel, 0.7, -0.4),
    case(levy, P),
    case(schwefel, 10 * P),
    case(styblinski_tang, P),
    case(michalewicz, P),
    case(easom, 2.7, 2.4),
    case(eggholder, 7.0, -4.0),
    case(cross_in_tray, 0.7, -0.4),
    case(bukin, 0.7, -0.4),
    case(step_function, P),
    case(powell_singular, [0.7, -0.4, 1.2, 0.3]),
    case(zakharov, P),
    case(quadratic_form, P, np.outer(P, P) + np.eye(3), P[::-1]),
    case(trid, P),
    case(log_barrier, np.abs(P)),
    case(quadratic_penalty, 0.3, 0.4),
    case(augmented_lagrangian, P, 0.7),
    case(project_on_box, P),
    case(project_on_simplex_distance, P, refusal="choose elements"),
    case(soft_threshold, -0.7, 0.2),
    case(soft_threshold, 0.1, 0.2),
    case(minimax, 0.7, 0.4),
    case(newton_sqrt, 2.0, refusal="branches"),
    case(gradient_descent, 0.9),
    case(fixed_point, 0.8),
    case(line_search, 0.9),
    case(golden_section, 0.8),
)

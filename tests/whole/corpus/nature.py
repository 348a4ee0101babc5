"""Chemistry, ecology, epidemics, pharmacology, physiology."""

from dataclasses import asdict, dataclass
from types import SimpleNamespace

import numpy as np

from tests.whole.corpus.case import case


def arrhenius(T, A, Ea, R=8.314):
    return A * np.exp(-Ea / (R * T))


def nernst(ratio, T=298.15, z=1, R=8.314, F=96485.0):
    return R * T / (z * F) * np.log(ratio)


def goldman(out, inside, permeability):
    up = sum(p * c for p, c in zip(permeability, out))
    down = sum(p * c for p, c in zip(permeability, inside))
    return 25.7 * np.log(up / down)


def michaelis_menten(s, vmax, km):
    return vmax * s / (km + s)


def competitive_inhibition(s, i, *, vmax=1.0, km=0.5, ki=0.2):
    return vmax * s / (km * (1 + i / ki) + s)


def hill(x, n, k):
    return x**n / (k**n + x**n)


def henderson_hasselbalch(acid, base, pKa=4.76):
    return pKa + np.log10(base / acid)


def langmuir(p, K):
    return K * p / (1 + K * p)


def debye_huckel(z, I, a=0.509):
    return -a * z**2 * np.sqrt(I) / (1 + np.sqrt(I))


def first_order_decay(t, c0, half_life):
    return c0 * 0.5 ** (t / half_life)


def radioactive_chain(t, n0=1.0, l1=0.5, l2=0.2):
    if l1 == l2:
        return n0 * l1 * t * np.exp(-l1 * t)
    return n0 * l1 / (l2 - l1) * (np.exp(-l1 * t) - np.exp(-l2 * t))


def antoine(T, a=8.07131, b=1730.63, c=233.426):
    return 10 ** (a - b / (c + T))


def gibbs(dH, dS, T):
    return dH - T * dS


def equilibrium_by_bisection(K, iterations=4):
    low, high = 0.0, 1.0
    for _ in range(iterations):
        mid = (low + high) / 2
        if mid**2 > K * (1 - mid):
            high = mid
        else:
            low = mid
    return (low + high) / 2 + 0 * K


def equilibrium_by_newton(K, steps=6):
    x = 0.5
    for _ in range(steps):
        x -= (x**2 - K * (1 - x)) / (2 * x + K)
    return x


def logistic_growth(t, r, K, n0):
    return K / (1 + (K - n0) / n0 * np.exp(-r * t))


def gompertz(t, a, b, c):
    return a * np.exp(-b * np.exp(-c * t))


def allee_growth(n, r=0.5, K=1.0, A=0.2):
    return r * n * (1 - n / K) * (n / A - 1)


def ricker(n, r, K, years=3):
    for _ in range(years):
        n = n * np.exp(r * (1 - n / K))
    return n


def beverton_holt(n, R0=2.0, M=10.0):
    return R0 * n / (1 + n / M)


def holling(prey, kind=2, a=1.2, h=0.3):
    if kind == 1:
        return a * prey
    if kind == 2:
        return a * prey / (1 + a * h * prey)
    return a * prey**2 / (1 + a * h * prey**2)


def lotka_volterra(prey, predator, params=(1.1, 0.4, 0.1, 0.4), dt=0.01, steps=10):
    a, b, d, g = params
    for _ in range(steps):
        prey, predator = (
            prey + dt * (a * prey - b * prey * predator),
            predator + dt * (d * prey * predator - g * predator),
        )
    return prey * predator


@dataclass
class SIR:
    beta: float
    gamma: float


def sir_peak_like(p: SIR, s=0.99, i=0.01, days=8):
    infected = []
    for _ in range(days):
        new = p.beta * s * i
        s, i = s - new, i + new - p.gamma * i
        infected.append(i)
    return np.sum(np.square(infected))


def seir_final(params, n=5):
    s, e, i, r = 0.98, 0.01, 0.01, 0.0
    for _ in range(n):
        ds = -params["beta"] * s * i
        de = -ds - params["sigma"] * e
        di = params["sigma"] * e - params["gamma"] * i
        s, e, i, r = s + ds, e + de, i + di, r + params["gamma"] * i
    return r


def basic_reproduction(p):
    values = asdict(p)
    return values["beta"] / values["gamma"]


def degree_days(tmax, tmin, base=10.0, upper=30.0):
    tmax = min(tmax, upper)
    tmin = max(tmin, base)
    return max((tmax + tmin) / 2 - base, 0)


def monod(s, light, mu_max=1.0):
    return mu_max * min(s / (0.3 + s), light / (0.5 + light))


def q10_respiration(T, r0=1.0, q10=2.0, Tref=15.0):
    return r0 * q10 ** ((T - Tref) / 10)


def photosynthesis(light, pmax, alpha, beta=0.0):
    if beta:
        return pmax * (1 - np.exp(-alpha * light / pmax)) * np.exp(-beta * light / pmax)
    return pmax * np.tanh(alpha * light / pmax)


def shannon_diversity(counts):
    p = np.asarray(counts) / np.sum(counts)
    return -np.sum(p * np.log(p))


def simpson_index(counts):
    n = sum(counts)
    return 1 - sum((c / n) ** 2 for c in counts)


def species_area(area, c=2.0, z=0.25):
    return c * area**z


def island_equilibrium(p):
    return p.immigration * p.pool / (p.immigration + p.extinction)


def one_compartment(t, dose, ka, ke, V=10.0):
    return dose * ka / (V * (ka - ke)) * (np.exp(-ke * t) - np.exp(-ka * t))


def repeated_doses(t, dose, ke, interval=6.0, n=4):
    return sum(dose * np.exp(-ke * (t - k * interval)) for k in range(n) if k * interval < 20)


def infusion(t, rate, ke, stop=2.0):
    if t <= stop:
        return rate / ke * (1 - np.exp(-ke * t))
    return rate / ke * (1 - np.exp(-ke * stop)) * np.exp(-ke * (t - stop))


def emax_response(c, e0=1.0, emax=5.0, ec50=0.7, gamma=1.5):
    return e0 + emax * c**gamma / (ec50**gamma + c**gamma)


def alpha_n(V):
    x = (V + 55) / 10
    if abs(x) < 1e-7:
        return 0.1
    return 0.1 * x / (1 - np.exp(-x))


def hodgkin_huxley_current(V, m, h, n):
    gNa, gK, gL, eNa, eK, eL = 120, 36, 0.3, 50, -77, -54.4
    return gNa * m**3 * h * (V - eNa) + gK * n**4 * (V - eK) + gL * (V - eL)


def leaky_integrate_and_fire(current, v=0.0, dt=0.5, tau=5.0, threshold=1.0):
    for _ in range(3):
        v = v + dt / tau * (current - v)
        if v >= threshold:
            v = 0.0
    return v


def bmi(weight, height):
    return weight / height**2


def cockcroft_gault(age, weight, creatinine, sex="m"):
    clearance = (140 - age) * weight / (72 * creatinine)
    return clearance * (0.85 if sex == "f" else 1)


def heat_index(T, rh):
    simple = 0.5 * (T + 61 + (T - 68) * 1.2 + rh * 0.094)
    if (simple + T) / 2 < 80:
        return simple
    return (
        -42.379 + 2.04901523 * T + 10.14333127 * rh - 0.22475541 * T * rh
        - 6.83783e-3 * T**2 - 5.481717e-2 * rh**2
    )  # fmt: skip


def magnus_dew_point(T, rh, b=17.62, c=243.12):
    g = np.log(rh / 100) + b * T / (c + T)
    return c * g / (b - g)


CASES = (
    case(arrhenius, 310.0, 5.0, 2500.0),
    case(nernst, 12.0),
    case(goldman, [5.0, 145.0], [140.0, 10.0], [1.0, 0.04]),
    case(michaelis_menten, 0.4, 2.0, 0.7),
    case(competitive_inhibition, 0.4, 0.1),
    case(hill, 0.8, 2.5, 0.6),
    case(henderson_hasselbalch, 0.2, 0.3),
    case(langmuir, 0.7, 1.9),
    case(debye_huckel, 2.0, 0.01),
    case(first_order_decay, 3.0, 1.5, 4.0),
    case(radioactive_chain, 2.0),
    case(antoine, 60.0),
    case(gibbs, -10.0, 0.02, 300.0),
    case(equilibrium_by_bisection, 0.3),
    case(equilibrium_by_newton, 0.3),
    case(logistic_growth, 3.0, 0.6, 10.0, 1.0),
    case(gompertz, 1.5, 2.0, 3.0, 0.8),
    case(allee_growth, 0.6),
    case(ricker, 0.6, 1.2, 1.1),
    case(beverton_holt, 4.0),
    case(holling, 1.3),
    case(holling, 1.3, kind=3, static=("kind",)),
    case(lotka_volterra, 10.0, 5.0),
    case(sir_peak_like, SIR(0.5, 0.1)),
    case(seir_final, {"beta": 0.6, "sigma": 0.3, "gamma": 0.2}),
    case(basic_reproduction, SIR(0.5, 0.1)),
    case(degree_days, 27.0, 12.0),
    case(degree_days, 33.0, 7.0),
    case(monod, 0.8, 0.4),
    case(q10_respiration, 21.0),
    case(photosynthesis, 2.0, 1.5, 0.6),
    case(photosynthesis, 2.0, 1.5, 0.6, beta=0.1),
    case(shannon_diversity, [12.0, 5.0, 3.0]),
    case(simpson_index, [12.0, 5.0, 3.0]),
    case(species_area, 14.0),
    case(island_equilibrium, SimpleNamespace(immigration=0.3, extinction=0.1, pool=100.0)),
    case(one_compartment, 2.0, 100.0, 1.1, 0.2),
    case(repeated_doses, 20.0, 10.0, 0.1),
    case(infusion, 3.0, 5.0, 0.4),
    case(emax_response, 0.5),
    case(alpha_n, -40.0),
    case(hodgkin_huxley_current, -60.0, 0.1, 0.6, 0.3),
    case(leaky_integrate_and_fire, 3.3),
    case(bmi, 70.0, 1.75),
    case(cockcroft_gault, 60.0, 72.0, 1.1),
    case(cockcroft_gault, 60.0, 72.0, 1.1, sex="f"),
    case(heat_index, 75.0, 50.0),
    case(magnus_dew_point, 25.0, 60.0),
)

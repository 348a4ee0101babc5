"""Energies, potentials, laws and constants of physics."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tests.whole.corpus.case import case

G = 6.674e-11
KB = 1.380649e-23
SIGMA = 5.670374419e-8


def kinetic_energy(m, v):
    return 0.5 * m * v**2


def kinetic_energy_3d(masses, velocities):
    return 0.5 * np.sum(masses[:, None] * velocities**2)


def relativistic_energy(m, v, c=3.0):
    gamma = 1 / np.sqrt(1 - (v / c) ** 2)
    return gamma * m * c**2


def lennard_jones(r, epsilon=1.0, sigma=1.0):
    s6 = (sigma / r) ** 6
    return 4 * epsilon * (s6**2 - s6)


def lennard_jones_cut(r, cutoff=2.5):
    if r > cutoff:
        return 0.0
    return lennard_jones(r) - lennard_jones(cutoff)


def total_lennard_jones(positions):
    energy = 0.0
    n = len(positions)
    for i in range(n):
        for j in range(i + 1, n):
            r = np.linalg.norm(positions[i] - positions[j])
            energy += lennard_jones(r)
    return energy


def morse(r, depth, a, r0):
    return depth * (1 - np.exp(-a * (r - r0))) ** 2


def buckingham(r, A, B, C):
    return A * np.exp(-B * r) - C / r**6


def coulomb(q, positions, k=1.0):
    diff = positions[:, None, :] - positions[None, :, :]
    d2 = (diff**2).sum(-1)
    i, j = np.triu_indices(len(q), k=1)
    return k * np.sum(q[i] * q[j] / np.sqrt(d2[i, j]))


def yukawa(r, g=1.0, m=0.5):
    return -(g**2) * np.exp(-m * r) / r


def gravity(m1, m2, r, softening=0.0):
    return -m1 * m2 / np.sqrt(r @ r + softening**2)


class Body(NamedTuple):
    mass: float
    position: np.ndarray
    velocity: np.ndarray


def energy_of_bodies(bodies):
    kinetic = sum(b.mass * (b.velocity @ b.velocity) / 2 for b in bodies)
    potential = 0
    for k, a in enumerate(bodies):
        for b in bodies[:k]:
            potential -= a.mass * b.mass / np.linalg.norm(a.position - b.position)
    return kinetic + potential


def pendulum_energy(theta, omega, *, length=1.0, g=9.81, m=1.0):
    return 0.5 * m * (length * omega) ** 2 + m * g * length * (1 - np.cos(theta))


def double_pendulum_lagrangian(state, m=(1.0, 0.5), l=(1.0, 0.8), g=9.81):
    t1, t2, w1, w2 = state
    kinetic = 0.5 * (m[0] + m[1]) * (l[0] * w1) ** 2 + 0.5 * m[1] * (l[1] * w2) ** 2
    kinetic += m[1] * l[0] * l[1] * w1 * w2 * np.cos(t1 - t2)
    potential = -(m[0] + m[1]) * g * l[0] * np.cos(t1) - m[1] * g * l[1] * np.cos(t2)
    return kinetic - potential


def spring_chain(x, k=2.0, rest=1.0):
    return 0.5 * k * np.sum((np.diff(x) - rest) ** 2)


@dataclass(frozen=True)
class Spring:
    stiffness: float
    rest: float = 1.0

    def energy(self, x):
        stretch = x - self.rest
        return 0.5 * self.stiffness * stretch**2 if stretch > 0 else 0


def unilateral_spring(spring: Spring, x):
    return spring.energy(x)


def drag_force(v, cd=0.47, rho=1.225, area=0.1):
    return -0.5 * rho * cd * area * v * abs(v)


def terminal_velocity(m, cd, area, g=9.81, rho=1.225):
    return np.sqrt(2 * m * g / (rho * cd * area))


def friction(v, normal, mu_s=0.6, mu_k=0.4, eps=1e-3):
    mu = mu_s if abs(v) < eps else mu_k
    return -mu * normal * np.sign(v)


def stribeck_friction(v, fc=1.0, fs=1.5, vs=0.1, b=0.2):
    return (fc + (fs - fc) * np.exp(-((v / vs) ** 2))) * np.tanh(50 * v) + b * v


def ideal_gas(n, T, V, R=8.314):
    return n * R * T / V


def van_der_waals(n, T, V, a=0.364, b=4.27e-5, R=8.314):
    return n * R * T / (V - n * b) - a * (n / V) ** 2


def carnot_efficiency(hot, cold):
    if cold > hot:
        hot, cold = cold, hot
    return 1 - cold / hot


def planck(x, T):
    return x**3 / (np.exp(x / T) - 1)


def planck_expm1(nu, T, h=1.0, kB=1.0):
    return 2 * h * nu**3 / np.expm1(h * nu / (kB * T))


def radiated_power(T, emissivity=0.9, area=1.5, ambient=293.15):
    return SIGMA * emissivity * area * (T**4 - ambient**4)


def maxwell_boltzmann(v, m, T):
    a = m / (2 * np.pi * T)
    return 4 * np.pi * v**2 * a**1.5 * np.exp(-m * v**2 / (2 * T))


def fermi_dirac(E, mu, T):
    return 1 / (np.exp((E - mu) / T) + 1)


def partition_function(energies, beta):
    return np.log(np.exp(-beta * energies).sum())


def heat_capacity_einstein(T, theta):
    x = theta / T
    return 3 * x**2 * np.exp(x) / (np.exp(x) - 1) ** 2


def ising_energy(spins, J=1.0, h=0.1):
    return -J * np.sum(spins * np.roll(spins, 1)) - h * spins.sum()


def snell(theta, n1=1.0, n2=1.5):
    s = n1 / n2 * np.sin(theta)
    if abs(s) > 1:
        raise ValueError("total internal reflection")
    return np.arcsin(s)


def fresnel_reflectance(theta, n=1.5):
    c = np.cos(theta)
    ct = np.sqrt(1 - (np.sin(theta) / n) ** 2)
    rs = ((c - n * ct) / (c + n * ct)) ** 2
    rp = ((ct - n * c) / (ct + n * c)) ** 2
    return (rs + rp) / 2


def thin_lens(f, d_object):
    return 1 / (1 / f - 1 / d_object)


def doppler(f, v_source, v_observer, c=343.0):
    return f * (c + v_observer) / (c - v_source)


def rc_voltage(t, V, R, C):
    return V * (1 - np.exp(-t / (R * C)))


def diode_current(V, Is=1e-3, n=1.5, Vt=0.2):
    return Is * np.expm1(V / (n * Vt))


def impedance_magnitude(R, L, C, omega):
    return np.hypot(R, omega * L - 1 / (omega * C))


def bernoulli(p, v, h, rho=1000.0, g=9.81):
    return p + rho * v**2 / 2 + rho * g * h


def colebrook(Re, roughness, iterations=4):
    f = 0.02
    for _ in range(iterations):
        f = (-2 * np.log10(roughness / 3.7 + 2.51 / (Re * np.sqrt(f)))) ** -2
    return f


def friction_factor(Re):
    if Re < 2300:
        return 64 / Re
    elif Re < 4000:
        return 0.028 + (Re - 2300) * 1e-6
    return 0.316 / Re**0.25


def beam_deflection(x, a=0.4, L=1.0, P=1.0, EI=10.0):
    macaulay = max(x - a, 0)
    return P / (6 * EI) * ((L - a) / L * (x**3 - (L**2 - (L - a) ** 2) * x) - macaulay**3)


def quantum_box(x, n=2, L=1.0):
    return np.where((x > 0) & (x < L), np.sqrt(2 / L) * np.sin(n * np.pi * x / L), 0.0)


def hydrogen_1s(r, a0=1.0):
    return 4 * np.pi * r**2 * np.exp(-2 * r / a0) / (np.pi * a0**3)


def kepler_period(a, M, G=1.0):
    return 2 * np.pi * np.sqrt(a**3 / (G * M))


def hubble(z, h0=0.7, om=0.3):
    return h0 * np.sqrt(om * (1 + z) ** 3 + 1 - om)


def comoving_distance(z, om, steps=20):
    grid = np.linspace(0, 1, steps + 1) * z
    integrand = 1 / np.sqrt(om * (1 + grid) ** 3 + 1 - om)
    return np.trapezoid(integrand, grid)


def magnitude(flux, zero_point=25):
    return zero_point - 2.5 * np.log10(flux)


POSITIONS = np.array([[0.0, 0.1, 0.2], [1.1, -0.2, 0.3], [0.3, 1.2, -0.4]])

CASES = (
    case(kinetic_energy, 2.0, 3.0),
    case(kinetic_energy_3d, np.array([1.0, 2.0, 0.5]), POSITIONS),
    case(relativistic_energy, 1.5, 1.2),
    case(lennard_jones, 1.3),
    case(lennard_jones_cut, 1.3),
    case(total_lennard_jones, POSITIONS),
    case(morse, 1.4, 2.0, 1.1, 1.0),
    case(buckingham, 1.4, 5.0, 2.0, 0.7),
    case(coulomb, np.array([1.0, -0.5, 2.0]), POSITIONS),
    case(yukawa, 1.2),
    case(gravity, 1.0, 2.0, POSITIONS[1], softening=0.1),
    case(
        energy_of_bodies,
        [Body(1.0 + k, p, 0.3 * p[::-1]) for k, p in enumerate(POSITIONS)],
    ),
    case(pendulum_energy, 0.5, 0.8),
    case(pendulum_energy, 0.5, 0.8, length=2.0),
    case(double_pendulum_lagrangian, (0.3, -0.4, 0.7, 0.2)),
    case(spring_chain, np.array([0.0, 1.2, 1.9, 3.3])),
    case(unilateral_spring, Spring(3.0, 0.8), 1.2),
    case(Spring(3.0).energy, 1.3),
    case(drag_force, -12.0),
    case(terminal_velocity, 80.0, 1.1, 0.7),
    case(friction, 0.7, 9.0),
    case(stribeck_friction, 0.05),
    case(ideal_gas, 1.0, 300.0, 0.02),
    case(van_der_waals, 1.0, 300.0, 0.02),
    case(carnot_efficiency, 500.0, 300.0),
    case(planck, 1.5, 0.8),
    case(planck_expm1, 1.5, 0.8),
    case(radiated_power, 350.0),
    case(maxwell_boltzmann, 1.2, 0.9, 1.3),
    case(fermi_dirac, 0.4, 0.3, 0.2),
    case(partition_function, np.array([0.0, 0.5, 1.3]), 1.7),
    case(heat_capacity_einstein, 0.7, 1.1),
    case(ising_energy, np.array([1.0, -1.0, 1.0, 1.0])),
    case(snell, 0.6),
    case(fresnel_reflectance, 0.6),
    case(thin_lens, 0.05, 0.3),
    case(doppler, 440.0, 20.0, -5.0),
    case(rc_voltage, 0.5, 5.0, 1.2, 0.7),
    case(diode_current, 0.3),
    case(impedance_magnitude, 10.0, 0.2, 0.01, 15.0),
    case(bernoulli, 101.0, 2.0, 0.5),
    case(colebrook, 1e5, 1e-3),
    case(friction_factor, 1500.0),
    case(friction_factor, 9000.0),
    case(beam_deflection, 0.7),
    case(quantum_box, 0.3),
    case(hydrogen_1s, 0.8),
    case(kepler_period, 1.3, 0.9),
    case(hubble, 0.5),
    case(comoving_distance, 0.8, 0.3),
    case(magnitude, 120.0),
)

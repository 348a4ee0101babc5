"""Inverse kinematics of an arm with seven joints: the angles that bring its hand to a pose.

Run it with `python examples/robot_arm.py`, after `pip install "gradcompile[solvers]"`.

The arm is as long as a KUKA LBR iiwa. Six numbers say how far the hand is from its target, and
their Jacobian by seven angles is a matrix of 6 × 7: there are many solutions, and scipy's
`least_squares` finds one within the limits of the joints.
"""

import time

import numpy as np
from scipy.optimize import least_squares

import gradcompile as gdc

LENGTHS = (0.340, 0.400, 0.400, 0.126)
"""From the base to the shoulder, the elbow, the wrist and the hand, in metres."""

LIMITS = np.radians([170, 120, 170, 120, 170, 120, 175])


def turn_z(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def turn_y(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def pose(q):
    """Where the hand is, and how it is turned."""
    up = np.array([0.0, 0.0, 1.0])
    turned = turn_z(q[0])
    place = LENGTHS[0] * up
    for length, bend, twist in zip(LENGTHS[1:], q[1::2], q[2::2], strict=True):
        turned = turned @ turn_y(bend)
        place = place + length * (turned @ up)
        turned = turned @ turn_z(twist)
    return place, turned


@gdc.compile(wrt="q")
def error(q, place, turned):
    """How far the hand is from a pose: three lengths, and three sines of angles."""
    now, axes = pose(q)
    turn = sum(np.cross(axes[:, k], turned[:, k]) for k in range(3)) / 2
    return [*(now - place), *turn]


target = pose(np.radians([30.0, 40.0, -20.0, -70.0, 25.0, 60.0, 10.0]))
start = np.radians([0.0, 20.0, 0.0, -40.0, 0.0, 30.0, 0.0])
error(start, *target)

found = least_squares(
    error.value.flat, start, jac=error.jacobian.flat, args=target,
    bounds=(-LIMITS, LIMITS), xtol=1e-14, ftol=1e-14, gtol=1e-14,
)  # fmt: skip
place, turned = pose(found.x)
print("angles  ", *(f"{angle:7.2f}°" for angle in np.degrees(found.x)))
print(f"{found.nfev} evaluations; the hand misses by {np.linalg.norm(place - target[0]):.0e} m")
print(f"the axes of the hand by {abs(turned - target[1]).max():.0e}")

jacobian = error.jacobian.flat(found.x, *target)
print(f"a Jacobian of {jacobian.shape[0]} × {jacobian.shape[1]}, of rank", end=" ")
print(np.linalg.matrix_rank(jacobian), "as one of the joints is spare")

started = time.perf_counter()
for _ in range(1000):
    error.jacobian.flat(found.x, *target)
print(f"{(time.perf_counter() - started) * 1e3:.1f} µs a Jacobian")

"""Signal processing: filters, windows, spectra, envelopes."""

import numpy as np

from tests.whole.corpus.case import case

X = np.array([0.3, 1.2, -0.7, 0.4, 0.9, -1.1])
H = np.array([0.25, 0.5, 0.25])


def sine_wave(t, amplitude, frequency, phase=0.0):
    return amplitude * np.sin(2 * np.pi * frequency * t + phase)


def sinc_kernel(x):
    return np.sinc(x)


def safe_sinc(x):
    if abs(x) < 1e-8:
        return 1.0
    return np.sin(np.pi * x) / (np.pi * x)


def square_wave(t, period=1.0, duty=0.3):
    return 1.0 if t % period < duty * period else -1.0


def sawtooth(t, period=1.5):
    phase = t / period
    return 2 * (phase - np.floor(phase + 0.5))


def triangle_wave(t, period=2.0):
    return 2 * abs(2 * (t / period - np.floor(t / period + 0.5))) - 1


def wrap_phase(phi):
    return (phi + np.pi) % (2 * np.pi) - np.pi


def unwrapped_difference(a, b):
    d = b - a
    return np.arctan2(np.sin(d), np.cos(d))


def energy(x):
    return np.sum(np.abs(x) ** 2)


def snr_db(signal, noise):
    return 10 * np.log10(np.sum(signal**2) / np.sum(noise**2))


def rms_db(x, ref=1.0, floor=-120.0):
    level = 20 * np.log10(np.sqrt(np.mean(x**2)) / ref)
    return max(level, floor)


def gain(x, db):
    return (10 ** (db / 20) * x).sum()


def moving_average(x, n=3):
    out = []
    for i in range(len(x) - n + 1):
        out.append(sum(x[i : i + n]) / n)
    return np.array(out)


def moving_average_energy(x, width=2):
    kernel = np.ones(width) / width
    smooth = np.convolve(x, kernel, mode="valid")
    return smooth @ smooth


def fir(x, h):
    y = [sum(h[k] * x[n - k] for k in range(len(h)) if n - k >= 0) for n in range(len(x))]
    return sum(v * v for v in y)


def convolve_energy(x, h):
    return (np.convolve(x, h) ** 2).sum()


def autocorrelation(x, lag=1):
    x = x - x.mean()
    return np.dot(x[:-lag], x[lag:]) / np.dot(x, x)


def cross_correlation(a, b, lag=2):
    return (a[lag:] * b[: len(b) - lag]).sum()


def exponential_smoothing(x, alpha):
    s = x[0]
    for v in x[1:]:
        s = alpha * v + (1 - alpha) * s
    return s


def one_pole(x, cutoff, fs=10.0):
    a = np.exp(-2 * np.pi * cutoff / fs)
    y = np.zeros_like(x)
    y[0] = (1 - a) * x[0]
    for n in range(1, len(x)):
        y[n] = (1 - a) * x[n] + a * y[n - 1]
    return y[-1]


def biquad(x, b, a):
    z1 = z2 = 0.0
    total = 0.0
    for v in x:
        y = b[0] * v + z1
        z1 = b[1] * v - a[1] * y + z2
        z2 = b[2] * v - a[2] * y
        total += y**2
    return total


def leaky_integrator(x, leak=0.9):
    state = 0
    trace = []
    for v in x:
        state = leak * state + v
        trace.append(state)
    return max(trace)


def envelope_follower(x, attack=0.3, release=0.05):
    env = 0.0
    for v in np.abs(x[:4]):
        coefficient = attack if v > env else release
        env = env + coefficient * (v - env)
    return env


def compressor(level, threshold=-20.0, ratio=4.0):
    if level <= threshold:
        return level
    return threshold + (level - threshold) / ratio


def soft_knee(level, threshold=-20.0, ratio=4.0, knee=6.0):
    over = level - threshold
    if 2 * over < -knee:
        return level
    if 2 * abs(over) <= knee:
        return level + (1 / ratio - 1) * (over + knee / 2) ** 2 / (2 * knee)
    return threshold + over / ratio


def soft_clip(x, drive=2.0):
    return np.tanh(drive * x) / np.tanh(drive)


def hard_clip(x, limit=0.8):
    y = x.copy()
    y[y > limit] = limit
    y[y < -limit] = -limit
    return (y * np.arange(len(y))).sum()


def mu_law(x, mu=255):
    return np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)


def hann_windowed(x):
    n = np.arange(len(x))
    w = 0.5 - 0.5 * np.cos(2 * np.pi * n / (len(x) - 1))
    return np.sum((w * x) ** 2)


def goertzel(x, k=1):
    w = 2 * np.pi * k / len(x)
    s1 = s2 = 0.0
    for v in x:
        s1, s2 = v + 2 * np.cos(w) * s1 - s2, s1
    return s1**2 + s2**2 - 2 * np.cos(w) * s1 * s2


def dft_power(x, k=2):
    n = np.arange(len(x))
    angle = 2 * np.pi * k * n / len(x)
    re = np.sum(x * np.cos(angle))
    im = -np.sum(x * np.sin(angle))
    return re**2 + im**2


def fft_power(x):
    return (np.abs(np.fft.fft(x)) ** 2)[1]


def spectral_centroid(power, freqs=np.arange(4) * 100.0):
    return np.sum(freqs * power) / np.sum(power)


def spectral_flatness(power):
    return np.exp(np.mean(np.log(power))) / np.mean(power)


def dct2(x, k=1):
    N = len(x)
    return sum(x[n] * np.cos(np.pi / N * (n + 0.5) * k) for n in range(N))


def total_variation(x):
    return np.abs(np.diff(x)).sum()


def smoothness(x):
    return np.sum(np.diff(x, 2) ** 2)


def zero_mean_unit_variance(x, eps=1e-6):
    return (x - np.mean(x)) / np.sqrt(np.var(x) + eps)


def peak_to_rms(x):
    return np.max(np.abs(x)) / np.sqrt(np.mean(x**2))


def median_filter(x, size=3):
    half = size // 2
    return sum(sorted(x[i - half : i + half + 1])[half] ** 2 for i in range(half, 3))


def haar_energy(x):
    low, high = (x[::2] + x[1::2]) / np.sqrt(2), (x[::2] - x[1::2]) / np.sqrt(2)
    return np.sum(low**2) + 2 * np.sum(np.abs(high))


def upsample_linear(x, t=2.3):
    i = int(np.floor(t))
    frac = t - i
    return (1 - frac) * x[i] + frac * x[i + 1]


def lowpass_gain(f, fc, order=2):
    return 1 / np.sqrt(1 + (f / fc) ** (2 * order))


def chirp(t, f0=1.0, f1=3.0, T=2.0, method="linear"):
    if method == "linear":
        phase = 2 * np.pi * (f0 * t + (f1 - f0) * t**2 / (2 * T))
    else:
        k = (f1 / f0) ** (1 / T)
        phase = 2 * np.pi * f0 * (k**t - 1) / np.log(k)
    return np.cos(phase)


def adsr(t, a=0.1, d=0.2, s=0.7, r=0.3, gate=1.0):
    if t < a:
        return t / a
    elif t < a + d:
        return 1 - (1 - s) * (t - a) / d
    elif t < gate:
        return s
    return s * np.exp(-(t - gate) / r)


CASES = (
    case(sine_wave, 0.3, 1.5, 0.7),
    case(sinc_kernel, 0.4),
    case(safe_sinc, 0.4),
    case(square_wave, 0.4),
    case(sawtooth, 0.4),
    case(triangle_wave, 0.4),
    case(wrap_phase, 7.0),
    case(unwrapped_difference, 0.3, 5.0),
    case(energy, X),
    case(snr_db, X, 0.1 * X[::-1]),
    case(rms_db, X),
    case(gain, X, 6.0),
    case(moving_average, X),
    case(moving_average_energy, X),
    case(fir, X, H),
    case(convolve_energy, X, H),
    case(autocorrelation, X),
    case(cross_correlation, X, X[::-1]),
    case(exponential_smoothing, X, 0.3),
    case(one_pole, X, 1.2),
    case(biquad, X, [0.2, 0.4, 0.2], [1.0, -0.6, 0.2]),
    case(leaky_integrator, X[:4]),
    case(envelope_follower, X),
    case(compressor, -11.0),
    case(soft_knee, -19.0),
    case(soft_clip, 0.4),
    case(hard_clip, X),
    case(mu_law, -0.4),
    case(hann_windowed, X),
    case(goertzel, X),
    case(dft_power, X),
    case(fft_power, X, refusal="fft"),
    case(spectral_centroid, np.array([1.0, 3.0, 2.0, 0.5])),
    case(spectral_flatness, np.array([1.0, 3.0, 2.0, 0.5])),
    case(dct2, X),
    case(total_variation, X),
    case(smoothness, X),
    case(zero_mean_unit_variance, X),
    case(peak_to_rms, X),
    case(median_filter, X),
    case(haar_energy, X),
    case(upsample_linear, X),
    case(lowpass_gain, 100.0, 300.0),
    case(chirp, 0.7),
    case(chirp, 0.7, method="exponential"),
    case(adsr, 0.15),
    case(adsr, 1.2),
)

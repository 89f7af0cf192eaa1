#!/usr/bin/env python3
"""What NumPy's legacy generator and CPython's draw, for the tests of `src/numpy_random.rs` and
`src/python_random.rs`.

    python3 reference/draws.py > reference/draws.txt        (NumPy 1.26 and 2.4 write the same)

A line is a kind of draw, a seed, and every nth value; a float is written as its bits.
"""
import random
import struct

import numpy as np

NUMPY_SEEDS = [0, 1, 4_999, 2**32 - 1]
PYTHON_SEEDS = [0, 1, 4_999, 2**32, 4_000_012_000_049]


def bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def line(kind, seed, values):
    print(f"{kind} {seed}:", " ".join(f"{int(value):x}" for value in values))


for seed in NUMPY_SEEDS:
    r = np.random.RandomState(seed)
    line("numpy uniform", seed, [bits(r.uniform(5, 100)) for _ in range(400)][::40])
    r = np.random.RandomState(seed)
    line("numpy normal", seed, [bits(r.normal(43200, 20000)) for _ in range(401)][::20])
    r = np.random.RandomState(seed)
    rates = [0, 0.004, 0.5, 1, 2.2, 3.999]
    line("numpy poisson", seed, [r.poisson(rate) for _ in range(200) for rate in rates][::17])
    r = np.random.RandomState(seed)
    picks = [r.choice(count, 3, replace=False) for count in (3, 4, 5_000, 10_000)]
    line("numpy choice", seed, np.concatenate(picks))
    r = np.random.RandomState(seed)
    mixed = []
    for _ in range(50):
        mixed += [r.normal(0, 1), r.uniform(0, 1), float(r.poisson(2))]
    line("numpy mixed", seed, [bits(value) for value in mixed][::7])

for seed in PYTHON_SEEDS:
    r = random.Random(seed)
    counts = [1 + at % 200 for at in range(600)]
    line("python choice", seed, [r.choice(range(count)) for count in counts][::19])
    r = random.Random(seed)
    samples = [r.sample(range(count), k=count // 3) for count in range(0, 400, 7)]
    line("python sample", seed, [value for sample in samples for value in sample][::101])

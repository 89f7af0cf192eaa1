#!/usr/bin/env python3
"""The rules of the Fraud Detection Handbook's simulator in Python, and a summary of what they give.
The Rust of this example must print the same text for the same arguments.

    python3 reference/handbook.py > reference/published.txt
    python3 reference/handbook.py --customers 60 --terminals 100 --days 40 --radius 20 --salt 5000 \
        > reference/small.txt

Needs NumPy, whose draws it takes from the source; 15 s. Written from the rules as the book words
them (chapter 3, "Transaction data simulator"), not from its code, which has another licence.

Payments of one second keep the order in which they are drawn, by customer. The book sorts without
saying what becomes of ties, and NumPy's unstable sort breaks them differently from processor to
processor: the rows are the same, in another order within the second.
"""
import argparse
import datetime
import hashlib
import random

import numpy as np

DAY = 86_400


def profiles(a):
    r = np.random.RandomState(a.salt)
    customers = [(r.uniform(0, 100), r.uniform(0, 100), r.uniform(5, 100), r.uniform(0, 4))
                 for _ in range(a.customers)]
    r = np.random.RandomState(a.salt + 1)
    terminals = np.array([(r.uniform(0, 100), r.uniform(0, 100)) for _ in range(a.terminals)])
    return customers, terminals


def payments(a):
    customers, terminals = profiles(a)
    rows = []
    for number, (x, y, mean, rate) in enumerate(customers):
        distance = np.sqrt(((terminals - (x, y)) ** 2).sum(axis=1))
        near = np.flatnonzero(distance < a.radius).tolist()
        seed = number + a.salt * 1_000_003
        numpy_random, python_random = np.random.RandomState(seed % 2**32), random.Random(seed)
        for day in range(a.days):
            for _ in range(numpy_random.poisson(rate)):
                second = int(numpy_random.normal(43_200, 20_000))
                if not 0 < second < DAY:
                    continue
                amount = numpy_random.normal(mean, mean / 2)
                if amount < 0:
                    amount = numpy_random.uniform(0, mean * 2)
                if near:
                    terminal = python_random.choice(near)
                    rows.append((day * DAY + second, number, terminal, round(amount, 2)))
    rows.sort(key=lambda row: row[0])
    seconds, customer, terminal, amount = (np.array(column) for column in zip(*rows))
    return seconds, customer, terminal, amount


def fraud(a, seconds, customer, terminal, amount):
    day, last = seconds // DAY, int(seconds[-1] // DAY)
    scenario = np.where(amount > 220, 1, 0)
    rows_of_terminal = [np.flatnonzero(terminal == number) for number in range(a.terminals)]
    rows_of_customer = [np.flatnonzero(customer == number) for number in range(a.customers)]
    for d in range(last):
        drawn = np.random.RandomState(d + a.salt * 1009).choice(a.terminals, 2, replace=False)
        for number in drawn:
            rows = rows_of_terminal[number]
            scenario[rows[(day[rows] >= d) & (day[rows] < d + 28)]] = 2
    for d in range(last):
        drawn = np.random.RandomState(d + a.salt * 1009).choice(a.customers, 3, replace=False)
        rows = np.sort(np.concatenate([rows_of_customer[number] for number in drawn]))
        rows = rows[(day[rows] >= d) & (day[rows] < d + 14)].tolist()
        third = random.Random(d + a.salt * 1009).sample(rows, k=len(rows) // 3)
        amount[third] *= 5
        scenario[third] = 3
    return scenario


def experiment(day, customer, is_fraud):
    """The rows of the book's test week whose customers are not known to be compromised."""
    known = set(customer[is_fraud & (day >= 115) & (day < 122)])
    is_tested = np.zeros(len(day), bool)
    for d in range(129, 136):
        known |= set(customer[is_fraud & (day == d - 8)])
        is_tested |= (day == d) & ~np.isin(customer, list(known))
    return is_tested


def summary(a, seconds, customer, terminal, amount, scenario):
    day, is_fraud = seconds // DAY, scenario > 0
    cents = np.rint(amount * 100).astype(np.int64)

    def tally(name, rows):
        print(f"{name:<24}{rows.sum():>10}{is_fraud[rows].sum():>10}")

    print(f"customers {a.customers}, terminals {a.terminals}, days {a.days}, "
          f"radius {a.radius:g}, salt {a.salt}\n")
    tally("all", day >= 0)
    for number in (1, 2, 3):
        print(f"scenario {number}{(scenario == number).sum():>34}")
    print(f"{'amount':<24}{f'{cents.sum() // 100}.{cents.sum() % 100:02}':>20}")
    if a.days >= 136:
        tally("three weeks", (day >= 115) & (day < 136))
        tally("training", (day >= 115) & (day < 122))
        tally("test", experiment(day, customer, is_fraud))
    print()
    for first in range(0, a.days, 7):
        date = datetime.date(2018, 4, 1) + datetime.timedelta(days=first)
        tally(f"week of {date}", (day >= first) & (day < first + 7))
    print()
    lines = [",".join(map(str, row)) for row in zip(seconds, customer, terminal, cents, scenario)]
    print("\n".join(lines[:5]))
    print("sha256", hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--terminals", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=183)
    parser.add_argument("--radius", type=float, default=5)
    parser.add_argument("--salt", type=int, default=0)
    a = parser.parse_args()
    columns = payments(a)
    # Marking multiplies amounts in place.
    scenario = fraud(a, *columns)
    summary(a, *columns, scenario)


main()

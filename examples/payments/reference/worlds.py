#!/usr/bin/env python3
"""Statistics of forty worlds of the rules in Python (`payments.py`), which worlds of this crate
must agree with: `tests/payments/statistics.rs` measures the same ones by the same names.

    python3 reference/worlds.py > reference/worlds.csv        (needs NumPy; a few minutes)

A line is a name, the mean, and the standard deviation of one world (n - 1).
"""
import numpy as np

import payments

SEEDS = range(1, 41)
DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
NEVER = 1 << 60
KINDS = [(1, "A"), (2, "B"), (3, "C"), (4, "D"), (5, "E")]


def totals(d):
    approved, fraud, amount = d["approved"], d["fraud"] == 1, d["amount"]
    return {
        "attempts": len(approved),
        "approved": approved.sum(),
        "fraud": fraud.sum() / approved.sum(),
        "fraud money": amount[fraud].sum() / amount[approved].sum(),
    }


def kinds(d):
    out, fraud = {}, (d["fraud"] == 1).sum()
    is_new = is_first(d["card"])
    for kind, name in KINDS:
        tried = d["kind"] == kind
        done = tried & d["approved"]
        out[f"attempts {name}"] = tried.sum()
        out[f"approved {name}"] = done.sum() / tried.sum()
        out[f"share {name}"] = done.sum() / fraud
        out[f"mean amount {name}"] = d["amount"][done].mean()
        out[f"log price {name}"] = np.log(d["amount"] / d["list_ticket"])[tried].mean()
        out[f"new card {name}"] = is_new[tried].mean()
    return out


def honest(d):
    of, late = d["kind"] == 0, d["ts"] >= 14 * DAY
    price = np.log(d["amount"] / d["list_ticket"])[of]
    abroad = d["cc"] != d["ipc"]
    return {
        "declined": (~d["approved"][of]).mean(),
        "countries": abroad[of].mean(),
        "mean amount": d["amount"][of & d["approved"]].mean(),
        "log price": price.mean(),
        "log price deviation": price.std(),
        "new device": is_first(d["device"])[of & late].mean(),
        "new address": is_first(d["ip"])[of & late].mean(),
        "night": (d["ts"][of] % DAY < 6 * HOUR).mean(),
        "busiest weekday": (d["ts"][of] // DAY % 7 == 5).mean(),
    }


def reports(d):
    fraud, reported = d["fraud"] == 1, d["report_ts"] < NEVER
    days = (d["report_ts"] - d["ts"])[reported] / DAY
    return {
        "fraud countries": (d["cc"] != d["ipc"])[fraud].mean(),
        "reported": reported.sum() / fraud.sum(),
        "median delay": np.sort(days)[len(days) // 2],
        "log delay deviation": np.log(days).std(),
    }


def distinct(d):
    names = [("cards", "card"), ("devices", "device"), ("addresses", "ip"), ("bins", "bin")]
    return {name: len(np.unique(d[key])) for name, key in names}


def campaigns(d):
    """Attempts of one kind with one device or at one merchant, until nothing comes for a while."""
    out = {}
    for kind, name, key, gap in [(1, "A", "merchant", HOUR), (2, "B", "device", DAY),
                                 (3, "C", "device", DAY), (4, "D", "merchant", 5 * HOUR)]:
        row = np.flatnonzero(d["kind"] == kind)
        row = row[np.argsort(d[key][row], kind="stable")]
        ts, of = d["ts"][row], d[key][row]
        starts = np.flatnonzero(np.r_[True, (of[1:] != of[:-1]) | (ts[1:] - ts[:-1] > gap)])
        ends = np.r_[starts[1:], len(row)]
        out[f"campaigns {name}"] = len(starts)
        out[f"size {name}"] = (ends - starts).mean()
        out[f"minutes {name}"] = (ts[ends - 1] - ts[starts]).mean() / MINUTE
        if name in "AC":
            for who, key in (("cards", "card"), ("devices", "device"), ("addresses", "ip")):
                parts = [d[key][row[a:b]] for a, b in zip(starts, ends)]
                out[f"{who} of {name}"] = np.mean([len(np.unique(part)) for part in parts])
    return out


def sharing(d):
    """Who shares what with whom, in honest traffic; and which proxies honest people use."""
    of = d["kind"] == 0
    card, device, ip, merchant = (d[x][of] for x in ("card", "device", "ip", "merchant"))
    n = len(card)
    by_card = np.sort(np.bincount(card))[::-1]
    cards = (by_card > 0).sum()
    by_merchant = np.sort(np.bincount(merchant))[::-1]
    hours = np.unique(merchant * 10_000 + d["ts"][of] // HOUR, return_counts=True)
    usual = np.bincount(merchant)[hours[0] // 10_000] / (d["ts"].max() // DAY + 1) / 24
    quick = (d["kind"] > 0) & (d["kind"] < 5)
    return {
        "shared devices": (members(device, card)[device] >= 2).mean(),
        "shared addresses": (members(ip, card)[ip] >= 20).mean(),
        "usual merchants": len(np.unique(card * 1_000 + merchant)) / n,
        "busiest cards": by_card[:cards // 100].sum() / n,
        "busiest merchants": by_merchant[:10].sum() / n,
        "busiest bin": np.bincount(d["bin"][of]).max() / n,
        "rushes": ((hours[1] >= 100) & (hours[1] >= 10 * usual)).sum(),
        "shared proxies": np.isin(d["ip"][quick], ip).mean(),
    }


def succession(d):
    """What the same card did before, in honest traffic."""
    row = np.flatnonzero(d["kind"] == 0)
    row = row[np.argsort(d["card"][row], kind="stable")]
    keys = ("ts", "card", "device", "ip", "merchant", "amount", "approved")
    x = {key: d[key][row] for key in keys}

    def same(keys, back):
        equal = np.ones(len(row) - back, bool)
        for key in keys:
            equal &= x[key][back:] == x[key][:-back]
        return equal

    wait = x["ts"][1:] - x["ts"][:-1]
    wait_two = x["ts"][2:] - x["ts"][:-2]
    again = same(("card", "device", "ip"), 1) & (wait < HOUR)
    retry = same(("card", "merchant", "amount"), 1) & (wait < 5 * MINUTE) & ~x["approved"][:-1]
    place = ("card", "device", "merchant")
    burst = same(place, 1)[1:] & same(place, 2) & (wait_two < 30 * MINUTE)
    return {
        "again": again.sum() / len(row),
        "retried": retry.sum() / len(row),
        "third in a row": burst.sum() / len(row),
    }


def is_first(key):
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    return first


def members(of, who):
    """How many different ones of `who` each one of `of` has."""
    pairs = np.unique(np.stack([of, who], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=of.max() + 1)


def statistics(seed):
    d, out = payments.generate(seed), {}
    for part in (totals, kinds, honest, reports, distinct, campaigns, sharing, succession):
        out |= part(d)
    return out


def main():
    worlds = [statistics(seed) for seed in SEEDS]
    for name in worlds[0]:
        values = np.array([world[name] for world in worlds], float)
        print(f"{name},{values.mean():.8g},{values.std(ddof=1):.4g}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""'payments': a card-payment stream, as a payment service provider sees it, in which most (not all) fraud happens
within minutes to a few hours.  Everything is drawn from one seeded generator; no outside data.  The rules in full
words are in ../README.md, and with every number below.  usage: payments.py [SEED]   (needs numpy; 2-3 s)

Entities: card (with a 6-digit BIN), device, ip, merchant.  One row = one payment attempt; `approved` becomes known
1.2 s later; a fraud is reported `report_ts` later (log-normal, median 5 days, sigma 0.9; 8 % never).
Only approved attempts are scored for the label (a declined attempt cannot be charged back), but every attempt and
its outcome is an event that features may use.

Legitimate traffic: 30,000 cards at start plus 10,000 that appear later; gamma-distributed activity; five favourite
merchants out of 400 (Zipf 0.9); log-normal amounts; daily and weekly rhythm.  Hard negatives, on purpose:
 gamers (3 % of cards: 2-8 small payments within half an hour), flash sales (every ~5 days, 150-400 cards at one
 merchant in 15 minutes), travel agents (15 devices that pay with a new virtual card each time), mobile carrier-grade
 NAT and office addresses shared by ~100 cards, retries after a decline, travellers (foreign address for a week), a
 device never seen before on 18 % of first payments and an address never seen before on ~30 % of them (unstable
 fingerprints, dynamic addresses; `novelty` scales both), and follow-ups: 12 % of payments are followed by one to a
 few more within the hour from the same (often new) device and address.
Fraud (share of the approved fraud in the default mix, seed 1):
 A card testing    ~16 %  30-300 attempts in 5-60 min at one low-ticket merchant, rotating devices and addresses,
                          one or two BINs, 80 % declined
 B stolen card     ~29 %  2-12 attempts in 10-90 min on one known card, new device, proxy, resellable goods
                          (40 % of them spread over up to 8 h)
 C account takeover ~18 % one device/address walks through 5-30 cards in 10-90 min
 D merchant burst  ~15 %  bust-out: in 1-5 h, 15-60 large payments by otherwise unseen cards at one small merchant
 E slow            ~22 %  single payments, own device half of the time, amount x1-3: friendly fraud, no burst
`slow_share` moves the A-D : E balance while roughly keeping the fraud rate (0.28, 0.6, 0.9 give 22, 52, 87 % slow).
"""
import sys
import numpy as np

MS = 1000; DAY = 86_400_000; HOUR = 3_600_000; MIN = 60_000
CATS = ["grocery", "fashion", "digital", "electronics", "travel", "donation", "food", "giftcard", "ticket", "home"]
TICKET = [35, 60, 9, 180, 260, 15, 22, 70, 80, 75]
RISKY = [2, 3, 7, 8, 1]            # resellable


def generate(seed=1, days=63, n_cards=30_000, n_new=10_000, slow_share=0.28, fraud_scale=1.0, novelty=1.0):
    r = np.random.default_rng(seed)
    NM = 400
    m_cat = r.integers(0, 10, NM); m_cat[:10] = np.arange(10)
    m_tick = np.array(TICKET)[m_cat] * r.lognormal(0, .35, NM)
    pop = 1 / np.arange(1, NM + 1) ** .9; r.shuffle(pop); pop /= pop.sum()
    N = n_cards + n_new
    start = np.zeros(N, np.int64); start[n_cards:] = r.integers(0, days * DAY, n_new)
    rate = r.gamma(.8, .45, N) + .02                     # attempts a day
    bins_ = 1 + (r.zipf(1.3, N) % 300)
    c_fac = r.lognormal(0, .35, N); c_ctry = r.choice(6, N, p=[.35, .2, .15, .12, .1, .08])
    tz = np.array([0, 0, 1, -6, -5, 8])[c_ctry] * HOUR
    fav = r.choice(NM, (N, 5), p=pop)
    gamer = r.random(N) < .03
    dev = np.arange(N); fam = np.where(r.random(N) < .1)[0]; dev[fam[1::2]] = dev[fam[0::2][:len(fam) // 2]]   # families: two share one
    dev2 = np.arange(N) + N
    ip_home = np.arange(N); IPM = 10_000_000; IPO = 11_000_000
    ip_mob = IPM + c_ctry * 60 + r.integers(0, 60, N); ip_off = IPO + c_ctry * 60 + r.integers(0, 60, N)
    p_dec = np.clip(r.beta(1.2, 22, N), 0, .5)
    nxt = [100_000_000]                                   # fresh ids (devices, addresses, cards)
    def fresh(n):
        nxt[0] += n; return np.arange(nxt[0] - n, nxt[0])

    # ---- legitimate -------------------------------------------------------------------------------------------
    n = r.poisson(rate * days * np.clip(1 - start / (days * DAY), 0, 1))
    card = np.repeat(np.arange(N), n); k = len(card)
    wk = np.array([1, .95, .95, 1, 1.15, 1.25, .9])
    d0 = (start[card] // DAY); day = d0 + np.floor(r.random(k) * (days - d0)).astype(np.int64)
    keep = r.random(k) < wk[day % 7] / 1.25; card, day = card[keep], day[keep]; k = len(card)
    tod = np.where(r.random(k) < .6, r.normal(12.8, 3.2, k), r.normal(20, 2.1, k)) % 24
    ts = day * DAY + ((tod * HOUR).astype(np.int64) - tz[card]) % DAY
    ts = np.maximum(ts, start[card] + 1)
    mer = np.where(r.random(k) < .72, fav[card, r.integers(0, 5, k)], r.choice(NM, k, p=pop))
    g = gamer[card] & (r.random(k) < .5); reps = np.where(g, r.integers(2, 9, k), 1)   # gamers' bursts
    idx = np.repeat(np.arange(k), reps); first = np.r_[True, idx[1:] != idx[:-1]]
    dig = np.where(m_cat == 2)[0]
    card, mer, ts = card[idx], np.where(g[idx], dig[(mer[idx]) % len(dig)], mer[idx]), ts[idx]
    ts = np.where(first, ts, ts + (r.random(len(ts)) * 30 * MIN).astype(np.int64)); k = len(card)
    lead = np.maximum.accumulate(np.where(first, np.arange(k), 0))                     # a burst keeps its device and address
    C, M, T = [card], [mer], [ts]
    for _ in range(days // 5):                                                           # flash sales
        q = r.integers(150, 400); t0 = r.integers(0, days) * DAY + r.integers(9, 21) * HOUR
        C.append(r.choice(n_cards, q, p=rate[:n_cards] / rate[:n_cards].sum())); M.append(np.full(q, r.integers(0, NM)))
        T.append(t0 + (r.exponential(5 * MIN, q)).astype(np.int64))
    card, mer, ts = map(np.concatenate, (C, M, T)); k = len(card)
    amt = m_tick[mer] * c_fac[card] * r.lognormal(0, .55, k)
    fd, fi = .18 * novelty, .25 * novelty                 # unstable fingerprints and dynamic addresses: novelty is common
    u = r.random(k); device = np.where(u < fd, -1, np.where(u < fd + .1, dev2[card], dev[card]))
    nd = device < 0; device[nd] = fresh(nd.sum())
    u = r.random(k) - nd * .25 * novelty                   # ... and correlated (private window on another network)
    ip = np.where(u < fi, -1, np.where(u < fi + .22, ip_mob[card], np.where(u < fi + .33, ip_off[card], ip_home[card])))
    ni = ip < 0; ip[ni] = fresh(ni.sum())
    device[:len(lead)] = device[lead]; ip[:len(lead)] = ip[lead]; ni[:len(lead)] = ni[lead]
    ipc = c_ctry[card].copy()
    trav = r.random(N) < .06; tw = r.integers(0, days - 7, N)
    onw = trav[card] & (ts // DAY >= tw[card]) & (ts // DAY < tw[card] + 7)
    ipc[onw] = (c_ctry[card[onw]] + 1 + card[onw] % 4) % 6; ip[onw] = 20_000_000 + card[onw]
    odd = ni & ~onw & (r.random(k) < .25); ipc[odd] = r.integers(0, 6, odd.sum()); ipc[:len(lead)] = ipc[lead]
    appr = r.random(k) > p_dec[card]
    rows = [dict(ts=ts, card=card, bin=bins_[card], device=device, ip=ip, merchant=mer, amount=amt, cc=c_ctry[card], ipc=ipc,
                 approved=appr, kind=np.zeros(k, np.int8))]
    base = rows[0]; q = np.where(r.random(k) < .12)[0]; q = np.repeat(q, r.geometric(.6, len(q)))   # follow-up purchases
    fol = {x: v[q].copy() for x, v in base.items()}; fol["ts"] = fol["ts"] + r.exponential(25 * MIN, len(q)).astype(np.int64)
    fol["merchant"] = np.where(r.random(len(q)) < .5, fol["merchant"], fav[fol["card"], r.integers(0, 5, len(q))])
    fol["amount"] = m_tick[fol["merchant"]] * c_fac[fol["card"]] * r.lognormal(0, .55, len(q)); fol["approved"] = r.random(len(q)) > p_dec[fol["card"]]
    rows.append(fol)
    src = {x: np.concatenate([base[x], fol[x]]) for x in base}
    for _ in range(3):                                                                   # retries after a decline
        i = np.where(~src["approved"])[0]; i = i[r.random(len(i)) < .5]
        src = {x: v[i].copy() for x, v in src.items()}
        src["ts"] = src["ts"] + r.integers(8_000, 300_000, len(i)); src["approved"] = r.random(len(i)) < .5
        rows.append(src)
    for a in range(15):                                                                  # travel agents
        q = r.poisson(12 * days); tr = np.where(m_cat == 4)[0]
        c = fresh(q); rows.append(dict(ts=(r.integers(0, days, q) * DAY + (np.clip(r.normal(13, 3, q), 0, 23.9) * HOUR).astype(np.int64)),
            card=c, bin=np.full(q, 1 + a % 4), device=np.full(q, 30_000_000 + a), ip=np.full(q, 30_000_000 + a),
            merchant=r.choice(tr, q), amount=260 * r.lognormal(0, .6, q), cc=np.full(q, a % 6), ipc=np.full(q, a % 6),
            approved=r.random(q) > .05, kind=np.zeros(q, np.int8)))

    # ---- fraud ------------------------------------------------------------------------------------------------
    f = fraud_scale * (1 - slow_share) / .72; fs = fraud_scale * slow_share / .28
    def add(**kw): rows.append({x: np.asarray(v) for x, v in kw.items()})
    def when(): return int(r.integers(0, days * DAY))
    low = np.where(m_tick < 25)[0]; small = np.argsort(pop)[:250]
    res = np.where(np.isin(m_cat, RISKY))[0]
    def proxy_ip(n, cc):                                  # 25 % of residential proxies sit behind shared addresses
        p = fresh(n); s = r.random(n) < .25; p[s] = IPM + cc[s] * 60 + r.integers(0, 60, s.sum()); return p
    for _ in range(r.poisson(.25 * days * f)):            # A card testing
        q = int(r.integers(30, 300)); t0 = when(); span = r.integers(5, 60) * MIN
        bb = r.choice(bins_, 2); known = r.random(q) < .3
        c = np.where(known, r.integers(0, n_cards, q), fresh(q)); cc = np.full(q, r.integers(0, 6))
        dv = fresh(max(1, q // int(r.integers(2, 20)))); ipn = max(1, q // int(r.integers(2, 20))); ips = proxy_ip(ipn, cc[:ipn])
        b = np.where(known, bins_[np.minimum(c, N - 1)], bb[r.integers(0, 2, q)])
        m = r.choice(low)
        add(ts=t0 + np.sort(r.integers(0, span, q)), card=c, bin=b, device=r.choice(dv, q), ip=r.choice(ips, q), merchant=np.full(q, m),
            amount=m_tick[m] * r.lognormal(-.3, .4, q), cc=np.where(known, c_ctry[np.minimum(c, N - 1)], cc), ipc=cc,
            approved=r.random(q) < .2, kind=np.full(q, 1, np.int8))
    act = rate[:n_cards] / rate[:n_cards].sum()
    for _ in range(r.poisson(5.6 * days * f)):            # B stolen card
        q = int(r.integers(2, 13)); t0 = when(); span = (r.integers(10, 90) if r.random() < .6 else r.integers(90, 480)) * MIN
        c = int(r.choice(n_cards, p=act)); cc = np.full(q, c_ctry[c])
        d = fresh(1)[0]; ipc = c_ctry[c] if r.random() < .65 else r.integers(0, 6)
        ip_ = np.full(q, proxy_ip(1, np.array([ipc]))[0]); ms = r.choice(res, int(r.integers(1, 6)))
        m = r.choice(ms, q)
        add(ts=t0 + np.sort(r.integers(0, span, q)), card=np.full(q, c), bin=np.full(q, bins_[c]), device=np.full(q, d), ip=ip_, merchant=m,
            amount=m_tick[m] * c_fac[c] * r.lognormal(.45, .5, q), cc=cc, ipc=np.full(q, ipc), approved=r.random(q) < np.linspace(.75, .35, q),
            kind=np.full(q, 2, np.int8))
    for _ in range(r.poisson(.75 * days * f)):            # C account takeover ring
        nc = int(r.integers(5, 31)); t0 = when(); span = r.integers(10, 90) * MIN
        cs = r.choice(n_cards, nc, p=act); q1 = r.integers(1, 3, nc); c = np.repeat(cs, q1); q = len(c)
        off = np.repeat(np.sort(r.integers(0, span, nc)), q1) + r.integers(0, 3 * MIN, q)
        ctry = int(r.integers(0, 6)); ips = proxy_ip(2, np.full(2, ctry)); m = r.choice(r.choice(res, 2), q)
        add(ts=t0 + off, card=c, bin=bins_[c], device=np.full(q, fresh(1)[0]), ip=r.choice(ips, q), merchant=m,
            amount=m_tick[m] * c_fac[c] * r.lognormal(.25, .5, q), cc=c_ctry[c], ipc=np.where(r.random(q) < .5, c_ctry[c], ctry),
            approved=r.random(q) < .6, kind=np.full(q, 3, np.int8))
    for _ in range(r.poisson(.4 * days * f)):             # D merchant burst
        q = int(r.integers(15, 60)); t0 = when(); span = r.integers(60, 300) * MIN; m = int(r.choice(small))
        known = r.random(q) < .4; c = np.where(known, r.integers(0, n_cards, q), fresh(q)); cc = np.full(q, r.integers(0, 6))
        add(ts=t0 + np.sort(r.integers(0, span, q)), card=c, bin=np.where(known, bins_[np.minimum(c, N - 1)], r.choice(bins_, q)),
            device=fresh(q), ip=proxy_ip(q, cc), merchant=np.full(q, m), amount=m_tick[m] * r.lognormal(.8, .4, q),
            cc=np.where(known, c_ctry[np.minimum(c, N - 1)], cc), ipc=cc, approved=r.random(q) < .8, kind=np.full(q, 4, np.int8))
    q = r.poisson(17.5 * days * fs); c = r.choice(n_cards, q, p=act)     # E slow
    own = r.random(q) < .5; m = np.where(r.random(q) < .5, fav[c, 0], r.choice(res, q))
    t = (r.integers(0, days, q) * DAY + ((r.normal(15, 5, q) % 24) * HOUR).astype(np.int64))
    add(ts=t, card=c, bin=bins_[c], device=np.where(own, dev[c], fresh(q)), ip=np.where(own, ip_home[c], fresh(q)), merchant=m,
        amount=m_tick[m] * c_fac[c] * r.lognormal(.45, .5, q), cc=c_ctry[c], ipc=c_ctry[c], approved=r.random(q) < .9, kind=np.full(q, 5, np.int8))

    d = {x: np.concatenate([np.asarray(w[x]) for w in rows]) for x in rows[0]}
    ok = (d["ts"] >= 0) & (d["ts"] < days * DAY); d = {x: v[ok] for x, v in d.items()}
    o = np.argsort(d["ts"] + r.random(len(d["ts"])) * .5, kind="stable"); d = {x: v[o] for x, v in d.items()}
    for x in ("card", "device", "ip", "bin"):
        d[x] = np.unique(d[x], return_inverse=True)[1].astype(np.int64)
    d["amount"] = np.round(np.clip(d["amount"], .5, 6000), 2); d["cat"] = m_cat[d["merchant"]]; d["list_ticket"] = m_tick[d["merchant"]]; d["merchant"] = d["merchant"].astype(np.int64)
    d["fraud"] = ((d["kind"] > 0) & d["approved"]).astype(np.int8)
    delay = (r.lognormal(np.log(5), .9, len(d["ts"])) * DAY).astype(np.int64)
    d["report_ts"] = np.where((d["fraud"] == 1) & (r.random(len(delay)) > .08), d["ts"] + delay, np.int64(1) << 60)
    return d


if __name__ == "__main__":
    import time; t = time.time()
    d = generate(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    a = d["approved"]; fr = d["fraud"] == 1
    print(f"{len(a)} attempts, {a.sum()} approved, fraud rate {d['fraud'][a].mean():.4%}, amount rate {d['amount'][fr].sum() / d['amount'][a].sum():.4%}, {time.time() - t:.1f} s")
    for k, nme in enumerate(["legit", "A testing", "B stolen", "C takeover", "D merchant", "E slow"]):
        s = d["kind"] == k
        print(f"  {nme:10s} attempts {s.sum():7d} approved {(s & a).sum():7d} share of fraud {(s & fr).sum() / fr.sum():.1%} mean amount {d['amount'][s & a].mean():.0f}")

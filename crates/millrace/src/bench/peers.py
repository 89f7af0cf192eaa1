"""Runs one peer over the files of the card_features workload, and prints what it took as JSON.

usage: peers.py duckdb|chdb OUTPUT FILE FILE

The same sixteen columns from the same files, CSV or Parquet, to a file of the same format. A peer's windows are those of SQL, its
own rule: RANGE, ties included, so rows of one moment see each other and themselves.
"""

import json
import resource
import sys
import time

CARD = [("10m", 600_000), ("1h", 3_600_000), ("24h", 86_400_000)]


def columns(distinct):
    frame = "(PARTITION BY {} ORDER BY t RANGE BETWEEN {} PRECEDING AND CURRENT ROW)"
    out = []
    for name, width in CARD:
        over = frame.format("card_id", width - 1)
        out += [f"count(*) OVER {over} AS payments_{name}", f"sum(amount) OVER {over} AS spend_{name}"]
        out += [f"avg(amount) OVER {over} AS mean_{name}", f"max(amount) OVER {over} AS largest_{name}"]
    day = frame.format("card_id", CARD[2][1] - 1)
    out.append(f"{distinct} OVER {day} AS merchants_24h")
    hour = frame.format("merchant_id", CARD[1][1] - 1)
    out += [f"count(*) OVER {hour} AS sales_1h", f"sum(amount) OVER {hour} AS turnover_1h"]
    out.append(f"avg(CASE WHEN approved THEN 0.0 ELSE 1.0 END) OVER {hour} AS declined_ratio")
    return ", ".join(out)


def duckdb_run(output, files):
    import duckdb

    # It would be drawn where the figures are read.
    duckdb.execute("SET enable_progress_bar = false")
    names = ", ".join(f"'{f}'" for f in files)
    parquet = is_parquet(output)
    read, time = ("read_parquet", "epoch_ms(event_time)") if parquet else ("read_csv", "event_time")
    table = f"(SELECT * EXCLUDE event_time, {time} AS t FROM {read}([{names}]))"
    select = f"SELECT event_id, t, {columns('count(DISTINCT merchant_id)')} FROM {table}"
    form = "FORMAT parquet" if parquet else "HEADER"
    duckdb.execute(f"COPY ({select}) TO '{output}' ({form})")
    return duckdb.__version__


def chdb_run(output, files):
    import chdb

    shape = "event_id Int64, t Int64, card_id Int64, merchant_id Int64, country Int32, amount Float64, approved Bool"
    if is_parquet(output):
        cells = "event_id, toUnixTimestamp64Milli(event_time) AS t, card_id, merchant_id, amount, approved"
        tables = " UNION ALL ".join(f"SELECT {cells} FROM file('{f}', 'Parquet')" for f in files)
        select = f"SELECT event_id, t, {columns('uniqExact(merchant_id)')} FROM ({tables})"
        chdb.query(f"{select} INTO OUTFILE '{output}' TRUNCATE FORMAT Parquet")
        return chdb.__version__
    tables = " UNION ALL ".join(f"SELECT * FROM file('{f}', 'CSV', '{shape}')" for f in files)
    # The header of each file is one line that is no row.
    setting = "SETTINGS input_format_csv_skip_first_lines = 1"
    select = f"SELECT event_id, t, {columns('uniqExact(merchant_id)')} FROM ({tables})"
    chdb.query(f"{select} INTO OUTFILE '{output}' TRUNCATE FORMAT CSVWithNames {setting}")
    return chdb.__version__


def is_parquet(output):
    return output.endswith(".parquet")


def rows_of(name, output):
    if not is_parquet(output):
        with open(output, "rb") as rows:
            return sum(1 for _ in rows) - 1
    # Of the footers alone: it takes next to no time.
    if name == "duckdb":
        import duckdb

        return duckdb.sql(f"SELECT count(*) FROM '{output}'").fetchall()[0][0]
    import chdb

    return int(str(chdb.query(f"SELECT count() FROM file('{output}', 'Parquet')")).strip())


def main():
    name, output, *files = sys.argv[1:]
    began = time.monotonic()
    try:
        version = {"duckdb": duckdb_run, "chdb": chdb_run}[name](output, files)
    except ImportError as error:
        print(json.dumps({"not_run": f"Python cannot import it ({error})"}))
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    count = rows_of(name, output)
    print(
        json.dumps(
            {
                "version": str(version),
                "rows": count,
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "wall_seconds": time.monotonic() - began,
                "peak_rss_bytes": used.ru_maxrss * 1024,
            }
        )
    )


main()

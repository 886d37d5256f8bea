"""Reads the files of a report with pandas, pyarrow, Polars and DuckDB: figures are numbers that
compute, and say their unit.

    report_files.py UPTALLY
"""

import csv
import os
import subprocess
import sys
import tempfile

import duckdb
import pandas
import polars
import pyarrow.feather
import pyarrow.parquet

SAMPLE = os.path.join(os.path.dirname(__file__), "../../data/sample")


def reported(uptally, file, *flags):
    command = [uptally, "report", SAMPLE, "-o", file, *flags]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return file


def check_frame(frame, expected, name):
    assert str(frame["uptime_last_week"].dtype) == "float64", (name, frame.dtypes)
    assert frame["uptime_last_week"].sum() > 0 and frame["uptime_last_hour"].mean() > 0, name
    assert len(frame) == len(expected), name
    for figure in expected[0]:
        if figure != "store_id":
            found = [f"{value:.2f}" for value in frame[figure]]
            assert found == [row[figure] for row in expected], (name, figure)


def main(uptally):
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        expected = list(csv.DictReader(open(reported(uptally, at("report.csv")))))
        parquet = reported(uptally, at("report.parquet"))
        feather = reported(uptally, at("report.feather"))
        check_frame(pandas.read_parquet(parquet), expected, "parquet")
        check_frame(pandas.read_feather(feather), expected, "feather")
        check_frame(polars.read_parquet(parquet).to_pandas(), expected, "polars")
        check_frame(duckdb.sql(f"FROM '{parquet}'").df(), expected, "duckdb")
        check_frame(pandas.read_json(reported(uptally, at("r.ndjson.gz")), lines=True), expected, "gzip")
        check_frame(pandas.read_csv(reported(uptally, at("r.csv.zst"))), expected, "zstd")

        units = lambda file: {
            field.name: (field.metadata or {}).get(b"unit")
            for field in pyarrow.parquet.read_schema(file)
        }
        assert units(parquet)["uptime_last_hour"] == b"minutes", units(parquet)
        assert units(parquet)["downtime_last_week"] == b"hours", units(parquet)

        extended = pandas.read_parquet(reported(uptally, at("e.parquet"), "--columns", "extended"))
        assert str(extended["uptime_pct_last_week"].dtype) == "float64", extended.dtypes
        exact = reported(uptally, at("exact.parquet"), "--exact")
        assert str(pandas.read_parquet(exact)["uptime_last_week"].dtype) == "int64"
        assert units(exact)["uptime_last_week"] == b"microseconds", units(exact)


if __name__ == "__main__":
    main(*sys.argv[1:])

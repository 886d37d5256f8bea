"""Tables as the grammar needs them, and literals of each kind.

Literals are mostly existing values, so that conditions with them match rows.
"""

from grammar.expressions import BOOL, DATE, INSTANT, INT, REAL, TEXT, Column
from grammar.sources import Table
from same_files import AS_OF, TABLES

KIND_OF = {"VARCHAR": TEXT, "BOOLEAN": BOOL, "DATE": DATE, "TIMESTAMP WITH TIME ZONE": INSTANT}
# When loads were made: otherwise every run would ask something else.
AT_ANY_TIME = (
    "TIMESTAMPTZ '2020-01-01 00:00:00.000000Z'",
    "TIMESTAMPTZ '2100-01-01 00:00:00.000000Z'",
)
# Times of a day at which reading may go wrong by one.
EDGES = ("00:00:00.000000", "00:00:00.000001", "12:00:00.000000", "23:59:59.999999")


def literal(value, kind):
    if kind == TEXT:
        return "'" + value.replace("'", "''") + "'"
    if kind == INSTANT:
        return f"TIMESTAMPTZ '{value:%Y-%m-%d %H:%M:%S.%f}Z'"
    return f"DATE '{value}'" if kind == DATE else str(value).upper()


def tables_of(database, versions):
    """The tables by name; those that are kept are asked for as of any of so many versions."""
    tables = {}
    for name in TABLES:
        described = database.sql(f"DESCRIBE {name}").fetchall()
        columns = tuple(column_of(database, name, column, kind) for column, kind, *_ in described)
        (rows,) = database.sql(f"SELECT count(*) FROM {name}").fetchall()[0]
        tables[name] = Table(name, columns, rows, versions if name in AS_OF else 0)
    return tables


def column_of(database, table, column, data_type):
    kind, quoted = KIND_OF.get(data_type, INT), '"column"' if column == "column" else column
    values = AT_ANY_TIME
    if column != "loaded_at":
        every = f"SELECT DISTINCT {quoted} AS v FROM {table} WHERE v IS NOT NULL ORDER BY v"
        every = database.sql(every).to_arrow_table()["v"].to_pylist()
        values = tuple(literal(value, kind) for value in every)
    wide = "CAST({} AS INT)" if data_type == "TINYINT" else ""
    return Column(quoted, kind, values, wide, quoted)


def pools_of(tables):
    polls = {column.name: column.values for column in tables["polls"].columns}
    instants, days = polls["polled_at"], polls["polled_on"]
    edges = [f"TIMESTAMPTZ '{day[6:16]} {time}Z'" for day in days for time in EDGES]
    return {
        INT: ("-1", *"0 1 2 3 5 7 12 20 40 100 1000".split()),
        REAL: ("0e0", "0.5e0", "1.5e0", "12.25e0", "-3e0", "100e0"),
        TEXT: ("''", "'5'", "'a'", "'America/Chicago'", "'Zürich-01'", "'polls'"),
        BOOL: ("TRUE", "FALSE"),
        INSTANT: (*instants[:: len(instants) // 40 + 1], *edges),
        DATE: (*days, "DATE '2023-01-19'", "DATE '2023-02-01'"),
    }

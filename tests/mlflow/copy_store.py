"""Copies every row of MLflow's database in a SQLite file into an empty one of another kind,
whose tables MLflow makes: copy_store.py --tracking-uri URI FILE"""

import argparse

import sqlalchemy as sa
from mlflow.store.db.utils import _initialize_tables

parser = argparse.ArgumentParser()
parser.add_argument("--tracking-uri", required=True)
parser.add_argument("file")
args = parser.parse_args()

source = sa.create_engine(f"sqlite:///{args.file}")
target = sa.create_engine(args.tracking_uri)
_initialize_tables(target)
tables = sa.MetaData()
tables.reflect(bind=target)
with source.connect() as read, target.begin() as write:
    is_mysql = target.dialect.name == "mysql"
    if is_mysql:
        write.execute(sa.text("SET FOREIGN_KEY_CHECKS = 0"))
        write.execute(sa.text("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES'"))
    known = set(sa.inspect(read).get_table_names())
    for table in reversed(tables.sorted_tables):
        write.execute(table.delete())
    for table in tables.sorted_tables:
        if table.name not in known:
            continue
        columns = [column for column in table.columns if column.computed is None]
        names = ", ".join(f'"{column.name}"' for column in columns)
        rows = read.execute(sa.text(f'SELECT {names} FROM "{table.name}" ORDER BY rowid'))
        rows = [
            {
                column.name: bool(value)
                if isinstance(column.type, sa.Boolean) and value is not None
                else value
                for column, value in zip(columns, row)
            }
            for row in rows
        ]
        insert = table.insert()
        # Keys that differ in case are the same to it, and the first one stays.
        if is_mysql:
            insert = insert.prefix_with("IGNORE")
        for at in range(0, len(rows), 500):
            write.execute(insert, rows[at : at + 500])
print("{}")

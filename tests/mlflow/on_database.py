"""Serves a copy of a SQLite database of MLflow's from a PostgreSQL or MariaDB of its own.

usage: on_database.py KIND SOURCE FOLDER made|serve PORT

`made` fills a new database in FOLDER and stops it. `serve` starts it and MLflow's server
on it, and ends both when the standard input ends, and removes FOLDER.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

KIND, SOURCE, FOLDER, TASK, PORT = sys.argv[1:]
DATA = os.path.join(FOLDER, "data")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# PostgreSQL does not run as root.
USER = "postgres" if KIND == "postgres" and os.getuid() == 0 else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command):
    done = subprocess.run(command, user=USER, cwd="/", capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout}\n{done.stderr}")


def own(path):
    os.chmod(FOLDER, 0o755)
    if USER:
        subprocess.run(["chown", "-R", USER, path], check=True)
    os.chmod(path, 0o700)


def postgres(program):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}")) or [shutil.which(program)]
    return found[-1] or sys.exit(f"the tests need PostgreSQL's {program}")


def create():
    if KIND == "postgres":
        os.mkdir(DATA)
        own(DATA)
        # Its texts sort as in a dictionary, unlike SQLite's.
        run(postgres("initdb"), "-D", DATA, "-U", "mlflow", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
    else:
        run("mariadb-install-db", "--no-defaults", f"--datadir={DATA}", "--skip-test-db",
            "--user=root" if os.getuid() == 0 else f"--user={os.environ.get('USER', 'root')}",
            "--innodb-log-file-size=8M")


def start(port):
    log = open(os.path.join(FOLDER, "database.log"), "ab")
    if KIND == "postgres":
        own(DATA)
        command = [postgres("postgres"), "-D", DATA, "-p", str(port),
                   "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                   "-c", "fsync=off"]
    else:
        command = [shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin"),
                   "--no-defaults", f"--datadir={DATA}", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--socket={FOLDER}/socket",
                   f"--pid-file={FOLDER}/pid", "--skip-grant-tables",
                   "--log-bin-trust-function-creators=1",
                   "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0"]
        if os.getuid() == 0:
            command.append("--user=root")
    database = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                user=USER, cwd="/", start_new_session=True)
    for _ in range(600):
        if database.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return database
        except OSError:
            time.sleep(0.05)
    sys.exit("the database does not start:\n" + open(log.name).read())


def uri(port, name):
    if KIND == "postgres":
        return f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/{name}"
    return f"mysql+pymysql://root@127.0.0.1:{port}/{name}?charset=utf8mb4"


def fill(port):
    import sqlalchemy as sa
    from mlflow.store.db.utils import _initialize_tables

    outer = sa.create_engine(uri(port, "postgres" if KIND == "postgres" else "mysql"),
                             isolation_level="AUTOCOMMIT")
    for _ in range(100):
        try:
            with outer.connect() as c:
                tail = "" if KIND == "postgres" else " CHARACTER SET utf8mb4"
                c.execute(sa.text("CREATE DATABASE mlflow" + tail))
            break
        except sa.exc.OperationalError:
            time.sleep(0.1)
    engine = sa.create_engine(uri(port, "mlflow"))
    _initialize_tables(engine)
    source = sa.create_engine(f"sqlite:///{SOURCE}")
    tables = sa.MetaData()
    tables.reflect(engine)
    known = sa.MetaData()
    known.reflect(source)
    with source.connect() as old, engine.begin() as new:
        if KIND == "postgres":
            new.execute(sa.text("SET session_replication_role = replica"))
        else:
            new.execute(sa.text("SET FOREIGN_KEY_CHECKS = 0"))
            new.execute(sa.text("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"))
        for table in tables.tables.values():
            if table.name == "alembic_version" or table.name not in known.tables:
                continue
            new.execute(table.delete())
            columns = [c for c in table.columns if c.computed is None]
            names = ", ".join(f'"{c.name}"' for c in columns)
            rows = [dict(zip((c.name for c in columns), row))
                    for row in old.exec_driver_sql(f'SELECT {names} FROM "{table.name}"')]
            for c in columns:
                if isinstance(c.type, sa.Boolean):
                    for row in rows:
                        row[c.name] = None if row[c.name] is None else bool(row[c.name])
            insert = table.insert()
            # Names that differ in case are the same to MariaDB, and the first one stays.
            if KIND != "postgres":
                insert = insert.prefix_with("IGNORE")
            for at in range(0, len(rows), 500):
                new.execute(insert, rows[at:at + 500])
    engine.dispose()


def stop(database):
    database.send_signal(signal.SIGINT if KIND == "postgres" else signal.SIGTERM)
    database.wait()


port = free_port()
if TASK == "made":
    create()
    database = start(port)
    try:
        fill(port)
    finally:
        stop(database)
else:
    database = start(port)
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "2",
         "--port", PORT, "--backend-store-uri", uri(port, "mlflow"),
         "--artifacts-destination", os.path.join(FOLDER, "artifacts")],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdin=subprocess.DEVNULL, start_new_session=True, cwd=FOLDER)
    sys.stdin.read()
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()
    stop(database)
    shutil.rmtree(FOLDER, ignore_errors=True)

//! PostgreSQL, asked by one connection. Every question of a command is asked within one
//! transaction that reads and nothing else, so that all answers are of one moment.

mod dialect;
mod fault;
mod tls;
mod values;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::mpsc::sync_channel;
use std::thread;

use postgres::config::SslMode;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls};

use self::tls::Tls;
use super::link::{Arg, Facts, Link, Right, TagStatements};
use crate::store::sql::{Dialect, Row as _, Schema, TABLES, Tables, row};
use crate::store::{
    ConnectionFault, DatabaseFault, DatabasePlace, Encrypted, StoreError, plain_io_reason,
};

/// A connection with PostgreSQL.
pub(super) struct Postgres {
    place: DatabasePlace,
    client: Client,
    /// Whether a transaction is under way.
    is_begun: bool,
}

impl Postgres {
    /// # Errors
    /// When the server cannot be reached or does not let the user in.
    pub(super) fn connect(place: &DatabasePlace) -> Result<Self, StoreError> {
        let mut config = Config::new();
        config
            .user(&place.user)
            .dbname(&place.database)
            .application_name("mlt")
            .connect_timeout(place.connect_timeout)
            .ssl_mode(match place.tls.encrypted {
                Encrypted::Never => SslMode::Disable,
                Encrypted::IfPossible => SslMode::Prefer,
                Encrypted::Always => SslMode::Require,
            });
        for (host, port) in &place.hosts {
            config.host(host).port(*port);
        }
        if let Some(password) = &place.password {
            config.password(password.expose());
        }
        if let Some(options) = &place.options {
            config.options(options);
        }
        // Nobody listens in on a socket of this machine.
        let is_far = place.hosts.iter().any(|(host, _)| !host.starts_with('/'));
        let client = if is_far {
            let tls = Tls::new(&place.tls)?;
            in_time(place, move || config.connect(tls))?
        } else {
            config.ssl_mode(SslMode::Disable).connect(NoTls)
        };
        Ok(Self {
            client: client.map_err(|error| fault::of_beginning(place, &error))?,
            place: place.clone(),
            is_begun: false,
        })
    }

    fn failed(&mut self, error: &postgres::Error) -> StoreError {
        // What failed within a transaction ends it.
        let _ = self.client.batch_execute("ROLLBACK");
        self.is_begun = false;
        let failed = fault::of(&self.place, error);
        if let StoreError::Database {
            store,
            reason: DatabaseFault::MayNotRead,
        } = &failed
            && let Some(tables) = self.unreadable()
        {
            return StoreError::Database {
                store: store.clone(),
                reason: DatabaseFault::MayNotReadAll(tables),
            };
        }
        failed
    }

    /// The tables that the user may not read, where these are some of those there are.
    fn unreadable(&mut self) -> Option<String> {
        let sql = "SELECT string_agg(name, ', ' ORDER BY name) FROM \
                   (SELECT name, has_table_privilege(name, 'SELECT') AS may, \
                   bool_or(has_table_privilege(name, 'SELECT')) OVER () AS any FROM unnest($1) name \
                   WHERE to_regclass(name) IS NOT NULL) t WHERE t.any AND NOT t.may";
        let tables = [Arg::Texts(TABLES.to_vec())];
        let row = self.client.query_typed(sql, &typed(&tables)).ok()?;
        row::own_text(row.first()?, "tables", 0).ok()?
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = self.client.batch_execute(sql);
        done.map_err(|error| self.failed(&error))
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_begun {
            return Ok(());
        }
        self.batch(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}",
            self.limits()
        ))?;
        self.is_begun = true;
        Ok(())
    }

    /// What holds for a transaction: a statement takes so long and no longer, it is given up
    /// when nobody waits for it any more, and it is not compiled, which takes longer than it.
    fn limits(&self) -> String {
        let ms = self.place.max_time.as_millis().clamp(1, i32::MAX as u128);
        format!(
            "SET LOCAL statement_timeout = {ms}; SET LOCAL jit = off; \
             SELECT set_config('client_connection_check_interval', '1000', true) \
             WHERE current_setting('server_version_num')::int >= 140000"
        )
    }
}

/// Connects, unless nobody says anything for too long: the library waits for an address to
/// be there, and then for ever.
///
/// # Errors
/// That nobody has answered in time.
fn in_time<T: Send + 'static>(
    place: &DatabasePlace,
    connect: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, connected) = sync_channel(1);
    let work = move || {
        let _ = sender.send(connect());
    };
    let failed = |error: std::io::Error| StoreError::Unreachable {
        host: place.host(),
        reason: ConnectionFault::Other(plain_io_reason(&error)),
    };
    thread::Builder::new().spawn(work).map_err(failed)?;
    // A name may have an address at which nobody is, ahead of the one that answers.
    let is_name = |(host, _): &(String, u16)| host.parse::<IpAddr>().is_err();
    let more = usize::from(place.hosts.iter().any(is_name));
    let attempts = u32::try_from(place.hosts.len() + more).unwrap_or(u32::MAX);
    let patience = place.connect_timeout.saturating_mul(attempts);
    connected
        .recv_timeout(patience)
        .map_err(|_| fault::silence(place, patience))
}

fn typed<'a>(values: &'a [Arg<'a>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let typed = values.iter().map(|arg| {
        let value: &(dyn ToSql + Sync) = arg;
        (value, values::type_of(arg))
    });
    typed.collect()
}

impl Link for Postgres {
    type Row = postgres::Row;

    fn ask(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<postgres::Row>, StoreError> {
        self.begin()?;
        let rows = self.client.query_typed(sql, &typed(values));
        rows.map_err(|error| self.failed(&error))
    }

    fn open(
        &mut self,
        cursor: &str,
        sql: &str,
        values: &[Arg<'_>],
        all: bool,
    ) -> Result<(), StoreError> {
        self.begin()?;
        // How much of the answer the planner is to think of.
        let part = if all { 1.0 } else { 0.1 };
        self.batch(&format!("SET LOCAL cursor_tuple_fraction = {part}"))?;
        self.ask(
            &format!("DECLARE {cursor} NO SCROLL CURSOR FOR {sql}"),
            values,
        )
        .map(drop)
    }

    fn next(&mut self, cursor: &str, rows: usize) -> Result<Vec<postgres::Row>, StoreError> {
        self.ask(&format!("FETCH FORWARD {rows} FROM {cursor}"), &[])
    }

    fn close(&mut self, cursor: &str) {
        if self.is_begun {
            let _ = self.batch(&format!("CLOSE {cursor}"));
        }
    }

    fn renew(&mut self) {
        // A server that was started again knows nothing of this connection.
        if self.client.is_closed() {
            if let Ok(another) = Self::connect(&self.place) {
                *self = another;
            }
            return;
        }
        if self.is_begun {
            let _ = self.client.batch_execute("ROLLBACK");
            self.is_begun = false;
        }
    }

    fn begin_change(&mut self) -> Result<(), StoreError> {
        self.renew();
        self.batch(&format!("BEGIN READ WRITE; {}", self.limits()))?;
        self.is_begun = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.batch("COMMIT")?;
        self.is_begun = false;
        Ok(())
    }

    fn run(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<u64, StoreError> {
        // Where the transaction has failed, nothing is changed outside of it.
        self.begin()?;
        let count = self.client.execute_typed(sql, &typed(values));
        count.map_err(|error| self.failed(&error))
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        let rows = self.ask(
            "SELECT n.name, a.attname FROM unnest($1) AS n(name) \
             JOIN pg_attribute a ON a.attrelid = to_regclass(n.name) \
             WHERE a.attnum > 0 AND NOT a.attisdropped",
            &[Arg::Texts(TABLES.to_vec())],
        )?;
        let name = self.place.name();
        let mut tables = Tables::default();
        for row in &rows {
            let text = |at| row::text(row, "pg_attribute", at).map_err(|odd| odd.of_store(&name));
            let columns = tables.stored.entry(text(0)?.into_owned()).or_default();
            columns.insert(text(1)?.into_owned());
        }
        Schema::new(tables).map_err(|reason| StoreError::Data {
            path: name.clone(),
            reason: format!("{reason}; expected the database of MLflow 2.14 or later"),
        })
    }

    fn dialect(&self, facts: Facts) -> &'static dyn Dialect {
        dialect::of(facts)
    }

    fn one_of(&self, column: &str, number: usize) -> String {
        format!("{column} = ANY(${number})")
    }

    fn may_change(&mut self, table: &str, rights: &[Right]) -> Result<bool, StoreError> {
        let mut sql = "SELECT 1 WHERE NOT pg_is_in_recovery() \
                       AND current_setting('default_transaction_read_only') = 'off'"
            .to_owned();
        for right in rights {
            let name = match right {
                Right::Insert => "INSERT",
                Right::Update => "UPDATE",
                Right::Delete => "DELETE",
            };
            let _ = write!(sql, " AND has_table_privilege($1, '{name}')");
        }
        Ok(!self.ask(&sql, &[Arg::Text(table)])?.is_empty())
    }

    fn sums_up(&self) -> bool {
        true
    }

    fn tag_statements(&self) -> TagStatements {
        TagStatements {
            find: "SELECT 1 FROM trace_info WHERE request_id = $1",
            set: "INSERT INTO trace_tags (request_id, key, value) VALUES ($1, $2, $3) \
                  ON CONFLICT (key, request_id) DO UPDATE SET value = excluded.value",
            delete: "DELETE FROM trace_tags WHERE request_id = $1 AND key = $2",
            set_name: "UPDATE trace_info SET trace_name = $2 WHERE request_id = $1",
        }
    }

    fn explain(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<String>, StoreError> {
        let rows = self.ask(&format!("EXPLAIN {sql}"), values)?;
        let lines = rows.iter().map(|row| match row.cell(0) {
            Ok(crate::store::sql::Cell::Text(line)) => {
                String::from_utf8_lossy(line).trim().to_owned()
            }
            _ => String::new(),
        });
        Ok(lines.collect())
    }
}

//! MySQL and MariaDB, asked by one connection. Every question of a command is asked within
//! one transaction that reads and nothing else, so that all answers are of one moment.

mod cancel;
mod client;
mod dialect;
mod fault;
mod login;
mod packet;
mod statement;
mod values;

use std::collections::HashMap;
use std::time::Duration;

use self::cancel::Running;
use self::client::{Answer, Client, Fault, Prepared, Stream};
use self::dialect::Texts;
use self::login::{Greeting, log_in};
use self::values::Row;
use super::link::{Arg, Facts, Link, Right, TagStatements};
use super::tls::{MYSQL, config};
use crate::store::sql::{Dialect, Schema, TABLES, Tables, row};
use crate::store::{DatabaseFault, DatabasePlace, Encrypted, StoreError};
use crate::units;

/// What a connection gives up its wait after, behind the server's own limit.
const GRACE: Duration = Duration::from_secs(10);

/// The most of a text by which rows are sorted, in bytes: what the longest one has of a tag
/// or of metadata.
const LONGEST_KEY: u32 = 32_000;

/// A connection with MySQL.
pub(super) struct Mysql {
    place: DatabasePlace,
    client: Client,
    running: Running,
    /// Whether a transaction is under way.
    is_begun: bool,
    /// Statements whose rows are fetched bit by bit.
    cursors: HashMap<String, Cursor>,
    /// How texts are stored.
    texts: Texts,
    /// Which keys of tags are the same and which are not, the lesser one of each pair first.
    alike_keys: HashMap<(String, String), bool>,
}

/// A statement whose rows are fetched bit by bit.
struct Cursor {
    statement: Prepared,
    /// Rows that came all the same.
    ready: Vec<Row>,
    has_more: bool,
}

impl Mysql {
    /// # Errors
    /// When the server cannot be reached or does not let the user in.
    pub(super) fn connect(place: &DatabasePlace) -> Result<Self, StoreError> {
        let (mut client, greeting) = connected(place)?;
        let prepared = prepare(&mut client, place, &greeting)
            .and_then(|()| Ok(client.wait_for(place.max_time + GRACE)?));
        prepared.map_err(|fault| fault::of(place, &fault, false))?;
        Ok(Self {
            client,
            running: Running::new(place, greeting.connection),
            place: place.clone(),
            is_begun: false,
            cursors: HashMap::new(),
            texts: Texts::Full,
            alike_keys: HashMap::new(),
        })
    }

    fn failed(&mut self, fault: &Fault) -> StoreError {
        // What failed within a transaction ends it, as it does elsewhere.
        self.roll_back();
        fault::of(&self.place, fault, true)
    }

    fn roll_back(&mut self) {
        for (_, cursor) in self.cursors.drain() {
            self.client.close(&cursor.statement);
        }
        if self.is_begun && !self.client.is_broken {
            let _ = self.client.run("ROLLBACK");
        }
        self.is_begun = false;
    }

    fn command(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = self.client.run(sql);
        done.map_err(|fault| self.failed(&fault))
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.is_begun {
            self.command("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
            self.is_begun = true;
        }
        Ok(())
    }

    fn executed(
        &mut self,
        sql: &str,
        values: &[Arg<'_>],
        in_parts: bool,
    ) -> Result<(Prepared, Answer), Fault> {
        let (sql, values) = statement::with_values(sql, values);
        let values: Vec<&Arg<'_>> = values.iter().collect();
        let mut statement = self.client.prepare(&sql)?;
        let client = &mut self.client;
        let answer = self
            .running
            .during(|| client.execute(&mut statement, &values, in_parts));
        if answer.is_err() {
            self.client.close(&statement);
        }
        Ok((statement, answer?))
    }

    fn answer(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Answer, StoreError> {
        match self.executed(sql, values, false) {
            Ok((statement, answer)) => {
                self.client.close(&statement);
                Ok(answer)
            }
            Err(fault) => {
                let failed = self.failed(&fault);
                Err(match fault {
                    Fault::TooLong(column) => self.too_long(sql, &column).unwrap_or(failed),
                    _ => failed,
                })
            }
        }
    }

    /// That a text is too long for a column of the table that a statement writes to, and
    /// what that takes.
    fn too_long(&mut self, sql: &str, column: &str) -> Option<StoreError> {
        let table = statement::written_table(sql)?;
        let sql = "SELECT data_type, character_maximum_length FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ?1 AND column_name = ?2";
        let rows = self.ask(sql, &[Arg::Text(table), Arg::Text(column)]).ok()?;
        let row = rows.first()?;
        let kind = row::text(row, "columns", 0).ok()?;
        let most = row::maybe_number(row, "columns", 1).ok()??;
        // Those of other kinds are as long in bytes.
        let unit = if kind.ends_with("char") {
            "characters"
        } else {
            "bytes"
        };
        Some(StoreError::Database {
            store: self.place.name(),
            reason: DatabaseFault::TooLong {
                column: Some(format!("{table}.{column}")),
                limit: Some(format!("{} {unit}", units::count(most))),
            },
        })
    }

    /// Whether this user may do something, which is done within a transaction and undone.
    fn may(&mut self, sql: &str) -> Result<bool, StoreError> {
        match self.answer(sql, &[]) {
            Ok(_) => Ok(true),
            Err(StoreError::Database {
                reason: DatabaseFault::MayNotRead | DatabaseFault::MayOnlyRead,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a table can be read, or is not there. What a user may not read is not listed
    /// among what there is, and would pass for missing.
    fn may_read(&mut self, table: &str, columns: &[&str]) -> Result<bool, StoreError> {
        let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
        match self.may(&format!(
            "SELECT {} FROM {table} LIMIT 0",
            columns.join(", ")
        )) {
            // There is no such table, or it has no such column.
            Err(StoreError::Database {
                reason: DatabaseFault::Code(_),
                ..
            }) => Ok(true),
            other => other,
        }
    }
}

/// A connection with which somebody is logged in.
fn connected(place: &DatabasePlace) -> Result<(Client, Greeting), StoreError> {
    let tls = match place.tls.encrypted {
        Encrypted::Never => None,
        Encrypted::IfPossible | Encrypted::Always => Some(config(&place.tls, &MYSQL)?),
    };
    let opened = || {
        let (host, port) = place.hosts.first().ok_or(Fault::Malformed)?;
        let mut client = Client::new(Stream::open(host, *port, place.connect_timeout)?);
        client.wait_for(place.connect_timeout)?;
        let greeting = Greeting::read(&client.answer()?)?;
        // Nobody listens in on a socket of this machine.
        let tls = tls.as_ref().filter(|_| !client.is_local());
        let client = log_in(client, place, &greeting, tls)?;
        Ok((client, greeting))
    };
    opened().map_err(|fault| fault::of_beginning(place, &fault))
}

/// What holds for a connection: how texts come and go, a statement takes so long and no
/// longer, and all of a transaction is of one moment.
fn prepare(client: &mut Client, place: &DatabasePlace, greeting: &Greeting) -> Result<(), Fault> {
    client.run(&format!(
        "SET NAMES utf8mb4, sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES', \
         max_sort_length = {LONGEST_KEY}, sort_buffer_size = {}, \
         innodb_lock_wait_timeout = {}",
        LONGEST_KEY * 64,
        place.max_time.as_secs().clamp(1, 50),
    ))?;
    client.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    let seconds = place.max_time.as_secs_f64().max(0.001);
    let of_mariadb = format!("SET max_statement_time = {seconds:.3}");
    let of_mysql = format!("SET max_execution_time = {:.0}", (seconds * 1000.0).ceil());
    // What stands between may call itself as it likes.
    let (first, second) = if greeting.version.contains("MariaDB") {
        (of_mariadb, of_mysql)
    } else {
        (of_mysql, of_mariadb)
    };
    match client.run(&first) {
        Err(Fault::Refused(UNKNOWN_VARIABLE)) => client.run(&second),
        other => other,
    }
}

const UNKNOWN_VARIABLE: u16 = 1193;

impl Drop for Mysql {
    fn drop(&mut self) {
        if !self.client.is_broken {
            self.client.quit();
        }
    }
}

impl Link for Mysql {
    type Row = Row;

    fn ask(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<Row>, StoreError> {
        self.begin()?;
        Ok(self.answer(sql, values)?.rows)
    }

    fn open(
        &mut self,
        cursor: &str,
        sql: &str,
        values: &[Arg<'_>],
        _all: bool,
    ) -> Result<(), StoreError> {
        self.begin()?;
        match self.executed(sql, values, true) {
            Ok((statement, answer)) => {
                let cursor_of = Cursor {
                    statement,
                    ready: answer.rows,
                    has_more: answer.has_more,
                };
                self.cursors.insert(cursor.to_owned(), cursor_of);
                Ok(())
            }
            Err(fault) => Err(self.failed(&fault)),
        }
    }

    fn next(&mut self, cursor: &str, rows: usize) -> Result<Vec<Row>, StoreError> {
        // Those of a transaction that failed are gone, and rows with them.
        let Some(open) = self.cursors.get_mut(cursor) else {
            return Err(StoreError::Database {
                store: self.place.name(),
                reason: DatabaseFault::Ended,
            });
        };
        if !open.has_more {
            let rest = open.ready.split_off(rows.min(open.ready.len()));
            return Ok(std::mem::replace(&mut open.ready, rest));
        }
        match self.client.fetch(&open.statement, rows) {
            Ok(answer) => {
                open.has_more = answer.has_more;
                Ok(answer.rows)
            }
            Err(fault) => Err(self.failed(&fault)),
        }
    }

    fn close(&mut self, cursor: &str) {
        if let Some(cursor) = self.cursors.remove(cursor) {
            self.client.close(&cursor.statement);
        }
    }

    fn renew(&mut self) {
        self.roll_back();
        // A server that was started again knows nothing of this connection.
        let is_gone = self.client.is_broken || self.client.run("DO 0").is_err();
        if is_gone && let Ok(another) = Self::connect(&self.place) {
            let texts = self.texts;
            *self = another;
            self.texts = texts;
        }
    }

    fn begin_change(&mut self) -> Result<(), StoreError> {
        self.renew();
        self.command("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
        self.command("START TRANSACTION READ WRITE")?;
        self.is_begun = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.command("COMMIT")?;
        self.is_begun = false;
        Ok(())
    }

    fn run(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<u64, StoreError> {
        // Where the transaction has failed, nothing is changed outside of it.
        self.begin()?;
        Ok(self.answer(sql, values)?.changed)
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        let rows = self.ask(
            "SELECT table_name, column_name, character_set_name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name IN (?1)",
            &[Arg::Texts(TABLES.to_vec())],
        )?;
        let name = self.place.name();
        let mut tables = Tables::default();
        let mut texts = Texts::Full;
        for row in &rows {
            let text = |at| {
                let text = row::maybe_text(row, "columns", at);
                text.map_err(|odd| odd.of_store(&name))
            };
            let table = text(0)?.unwrap_or_default().into_owned();
            let columns = tables.stored.entry(table).or_default();
            columns.insert(text(1)?.unwrap_or_default().into_owned());
            if let Some(charset) = text(2)? {
                texts = texts.min(Texts::of(&charset));
            }
        }
        self.texts = texts;
        let mut hidden = Vec::new();
        for (table, columns) in Schema::read() {
            let is_whole = tables
                .stored
                .get(table)
                .is_some_and(|known| columns.iter().all(|column| known.contains(*column)));
            if !is_whole && !self.may_read(table, columns)? {
                hidden.push(table);
            }
        }
        if !hidden.is_empty() {
            let reason = if tables.stored.is_empty() {
                DatabaseFault::MayNotRead
            } else {
                DatabaseFault::MayNotReadAll(hidden.join(", "))
            };
            return Err(StoreError::Database {
                store: name,
                reason,
            });
        }
        Schema::new(tables).map_err(|reason| StoreError::Data {
            path: name.clone(),
            reason: format!("{reason}; expected the database of MLflow 2.14 or later"),
        })
    }

    fn dialect(&self, facts: Facts) -> &'static dyn Dialect {
        dialect::of(facts, self.texts)
    }

    fn one_of(&self, column: &str, number: usize) -> String {
        let exact = self.dialect(super::UNKNOWN).exact(column);
        format!("({column} IN (?{number}) AND {exact} IN (?{number}))")
    }

    /// The collation of the column decides.
    fn same_key(&mut self, one: &str, other: &str) -> Result<bool, StoreError> {
        let (one, other) = if one < other {
            (one, other)
        } else {
            (other, one)
        };
        let pair = (one.to_owned(), other.to_owned());
        if let Some(known) = self.alike_keys.get(&pair) {
            return Ok(*known);
        }
        let sql = "SELECT 1 FROM (SELECT `key` FROM trace_tags WHERE FALSE UNION ALL SELECT ?1) k \
                   WHERE k.`key` = ?2";
        let found = self.ask(sql, &[Arg::Text(one), Arg::Text(other)])?;
        self.alike_keys.insert(pair, !found.is_empty());
        Ok(!found.is_empty())
    }

    fn may_change(&mut self, table: &str, rights: &[Right]) -> Result<bool, StoreError> {
        self.begin_change()?;
        let mut may = true;
        for right in rights {
            let sql = match right {
                Right::Delete => format!("DELETE FROM {table} WHERE FALSE"),
                Right::Update => {
                    let id = if table == "assessments" {
                        "trace_id"
                    } else {
                        "request_id"
                    };
                    format!("UPDATE {table} SET {id} = {id} WHERE FALSE")
                }
                Right::Insert => format!("INSERT INTO {table} SELECT * FROM {table} WHERE FALSE"),
            };
            may = may && self.may(&sql)?;
        }
        self.roll_back();
        Ok(may)
    }

    fn tag_statements(&self) -> TagStatements {
        TagStatements {
            find: "SELECT 1 FROM trace_info WHERE request_id = ?1 \
                   AND CAST(request_id AS BINARY) = ?1",
            // As MLflow does it: what differs in case is the same key, and is spelt anew.
            set: "INSERT INTO trace_tags (request_id, `key`, value) VALUES (?1, ?2, ?3) \
                  ON DUPLICATE KEY UPDATE `key` = ?2, value = ?3",
            delete: "DELETE FROM trace_tags WHERE request_id = ?1 AND `key` = ?2",
            set_name: "UPDATE trace_info SET trace_name = ?2 WHERE request_id = ?1",
        }
    }

    fn explain(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<String>, StoreError> {
        let rows = self.ask(&format!("EXPLAIN {sql}"), values)?;
        Ok(rows.iter().map(Row::step).collect())
    }
}

//! Damaged input of every kind: whatever a file, a database, a folder, a server or
//! a line to complete holds, mlt ends with a code that is documented, in plain text,
//! and with no more of it than belongs to the input. The tests damage the corpus in
//! `tests/fuzz/corpus`, and what they make themselves, a few times. For longer, by
//! so many seconds a kind, and from another seed than 1:
//! `MLT_FUZZ_SECONDS=3600 MLT_FUZZ_SEED=7 cargo test --test cli fuzz -- --ignored`.
//! An input that fails is kept, and its path and seed are told.

mod mutate;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::mutate::{Random, damaged};
use crate::alone::faults::corpus::ANSWERS;
use crate::support::is_dangerous;
use crate::support::mlflow::file_store;
use crate::support::{Outcome, mlt};

/// Damaged inputs of each kind in every run of the tests.
const FEW: u64 = 24;
/// What mlt may print of nothing: help, a page of a report.
const OWN_TEXT: usize = 1 << 20;
/// What it may print of each byte, spelled out and in several places.
const TIMES: usize = 64;

/// What is done with traces, whatever they are.
const COMMANDS: [&str; 8] = [
    "search --all --columns time,trace_id,name,state,duration,tokens,cost,request,response,assessments",
    "get latest --io",
    "get latest -o json",
    "latency --all",
    "stats --by trace",
    "export --all -o jsonl",
    "export --all -o otlp",
    "report --all",
];

/// A kind of input.
trait Kind {
    /// Lays the input of this seed out and runs a command on it.
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome);

    /// Whether mlt itself prints this for a program that asks.
    fn is_meant(&self, _c: char) -> bool {
        false
    }
}

fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the corpus can be read").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("it can be read"))
        .collect()
}

fn one_of(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let all: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let (one, other) = (random.pick(&all), random.pick(&all));
    damaged(one, other, random)
}

/// Files of traces: MLflow's and OpenTelemetry's JSON and protobuf.
struct Files(Vec<Vec<u8>>);

impl Kind for Files {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let input = one_of(&self.0, random);
        let mut file = tempfile::NamedTempFile::with_suffix(".json").expect("a file");
        file.write_all(&input).expect("it can be written");
        let run = mlt().on(file.path().to_str().expect("the path is text"));
        let outcome = run.run(random.pick(&COMMANDS));
        (input, outcome)
    }
}

/// Folders of MLflow's file store, of which one file is damaged.
struct Folders(crate::support::mlflow::FileStore);

impl Kind for Folders {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let files = files_below(&self.0.folder().join("mlruns"));
        let path = &files[random.below(files.len())];
        let whole = fs::read(path).expect("the store can be read");
        let other = fs::read(&files[random.below(files.len())]).expect("the store can be read");
        let input = damaged(&whole, &other, random);
        fs::write(path, &input).expect("the store can be written to");
        let outcome = mlt().on(&self.0.uri()).run(random.pick(&COMMANDS));
        fs::write(path, whole).expect("the store can be written to");
        // The whole store is what is read.
        (vec![0; 200_000], outcome)
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)
            .expect("the store can be read")
            .flatten()
        {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// Databases.
struct Databases(Vec<u8>);

impl Databases {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mlflow.db");
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-3.17.2.sql");
        let database = rusqlite::Connection::open(&path).expect("a database");
        let schema = fs::read_to_string(schema).expect("the schema is there");
        let rows = include_str!("../../../fuzz/corpus/rows.sql");
        database
            .execute_batch("PRAGMA page_size = 1024")
            .expect("an empty database");
        database
            .execute_batch(&schema)
            .expect("the schema is right");
        database.execute_batch(rows).expect("the rows are right");
        drop(database);
        Self(fs::read(path).expect("it can be read"))
    }
}

impl Kind for Databases {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let input = damaged(&self.0, &self.0, random);
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mlflow.db");
        fs::write(&path, &input).expect("it can be written");
        let run = mlt().on(&format!("sqlite:///{}", path.display()));
        let outcome = run.run(random.pick(&COMMANDS));
        (input, outcome)
    }
}

/// Answers of a server, as they go over the wire.
struct Answers(Vec<Vec<u8>>);

impl Kind for Answers {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let input = one_of(&self.0, random);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let place = listener.local_addr().expect("the port is known");
        let answer = input.clone();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let server = thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&answer);
            }
        });
        let run = mlt()
            .on(&format!("http://{place}"))
            .args(["--retries", "0", "--timeout", "2s"]);
        let outcome = run.run(random.pick(&COMMANDS));
        over.store(true, Ordering::SeqCst);
        // Only a connection wakes the server.
        let _ = TcpStream::connect(place);
        server.join().expect("the server ends");
        (input, outcome)
    }
}

/// Filters and orders.
struct Filters(Vec<Vec<u8>>);

impl Kind for Filters {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let input = one_of(&self.0, random);
        let text = argument(&input);
        let option = random.pick(&["--filter", "--order-by", "--require", "--what-if"]);
        let command = match option {
            "--require" => "check",
            "--what-if" => "latency",
            _ => "search",
        };
        let words = [command, "--all", option, &text];
        let outcome = mlt().on("demo:").args(words).run("");
        (input, outcome)
    }
}

/// Lines to complete in a shell.
struct Lines(Vec<Vec<u8>>);

impl Kind for Lines {
    fn run(&self, random: &mut Random) -> (Vec<u8>, Outcome) {
        let input = one_of(&self.0, random);
        let text = argument(&input);
        let words: Vec<&str> = text.split(' ').collect();
        let run = mlt()
            .on("demo:")
            .env("MLT_COMPLETE", &(words.len() - 1).to_string())
            .args(["--"])
            .args(words);
        (input, run.run(""))
    }

    fn is_meant(&self, c: char) -> bool {
        c == '\t'
    }
}

/// What the operating system takes for an argument.
fn argument(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "")
}

/// What is wrong with what a command did.
fn complaint(kind: &dyn Kind, input: &[u8], outcome: &Outcome) -> Option<String> {
    match outcome.code {
        Some(0..=7) => {}
        code => return Some(format!("ends with {code:?}")),
    }
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    if text.contains("panicked") {
        return Some("panics".to_owned());
    }
    if let Some(c) = text
        .chars()
        .find(|c| is_dangerous(*c) && !kind.is_meant(*c))
    {
        return Some(format!("prints {c:?}"));
    }
    let most = OWN_TEXT + TIMES * input.len();
    (text.len() > most).then(|| format!("prints {} bytes for {}", text.len(), input.len()))
}

#[track_caller]
fn fuzz(name: &str, kind: &dyn Kind, seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let (input, outcome) = kind.run(&mut Random::new(seed));
        if let Some(complaint) = complaint(kind, &input, &outcome) {
            let kept = std::env::temp_dir().join(format!("mlt-fuzz-{name}-{seed}"));
            fs::write(&kept, &input).expect("the input can be kept");
            panic!(
                "seed {seed}, {}: mlt {complaint}\n{outcome}",
                kept.display()
            );
        }
    }
}

#[expect(clippy::print_stdout, reason = "the count is what the long run is for")]
/// Seeds for as long as the environment says.
fn for_long(name: &str) -> impl Iterator<Item = u64> {
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<u64>().ok();
    let end = Instant::now() + Duration::from_secs(number("MLT_FUZZ_SECONDS").unwrap_or(3600));
    let first = number("MLT_FUZZ_SEED").unwrap_or(1);
    let name = name.to_owned();
    (first..).take_while(move |seed| {
        let goes_on = Instant::now() < end;
        if !goes_on {
            println!("{name}: {} inputs", seed - first);
        }
        goes_on
    })
}

macro_rules! kinds {
    ($($name:ident $long:ident $kind:expr;)*) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name), &$kind, 0..FEW);
        }

        #[test]
        #[ignore = "goes on for MLT_FUZZ_SECONDS; run by hand"]
        fn $long() {
            fuzz(stringify!($name), &$kind, for_long(stringify!($name)));
        }
    )*};
}

kinds! {
    damaged_files damaged_files_for_long Files(corpus("files"));
    damaged_folders damaged_folders_for_long Folders(file_store("3.17.2"));
    damaged_databases damaged_databases_for_long Databases::new();
    damaged_answers damaged_answers_for_long Answers(answers());
    damaged_filters damaged_filters_for_long Filters(corpus("filters"));
    damaged_lines damaged_lines_for_long Lines(corpus("lines"));
}

fn answers() -> Vec<Vec<u8>> {
    let bodies = corpus("answers").into_iter().map(|body| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    });
    let wire = |answer: &&str| answer.replace('\n', "\r\n").into_bytes();
    ANSWERS.iter().map(wire).chain(bodies).collect()
}

//! Lists of traces: every field of theirs is a column, and in files also all tags,
//! metadata and assessments are one each.

use std::borrow::Cow;

use crate::analysis::excerpt;
use crate::field::{Field, FieldDef, Unit, Uses, Value};
use crate::model::{Detail, Trace};
use crate::render::cell::Cell;
use crate::render::column::cell;
use crate::table::parts::{AssessmentJson, json_list};
use crate::table::{Column, Columns, Datum, Keyed, Kind, Room, Rows};
use crate::units;

impl Rows for Trace {
    type Row<'a> = Self;
}

/// What files hold unless told otherwise, besides tags, metadata and assessments.
const IN_FILES: [&str; 18] = [
    "trace_id",
    "experiment",
    "name",
    "status",
    "time",
    "duration",
    "session",
    "user",
    "run_id",
    "model_id",
    "client_request_id",
    "input_tokens",
    "output_tokens",
    "tokens",
    "cost",
    "spans",
    "request",
    "response",
];

/// The columns of traces in files, those that are there unless told otherwise first.
pub fn traces() -> Columns<Trace> {
    let named = |name: &&str| FieldDef::named(name, Uses::COLUMN, false);
    let mut plain: Vec<Column<Trace>> = IN_FILES
        .iter()
        .filter_map(named)
        .map(|field| column(&field))
        .collect();
    plain.extend(whole());
    let others = FieldDef::with(Uses::COLUMN).filter(|def| def.prefix().is_none());
    for field in others.map(|def| (def.make)(String::new())) {
        let column = column(&field);
        if plain.iter().all(|known| known.name() != column.name()) {
            plain.push(column);
        }
    }
    Columns::new(plain).with_keyed(vec![
        keyed("tags", &["tag"], |key| column(&Field::Tag(key.to_owned()))),
        keyed("metadata", &["request_metadata", "trace_metadata"], |key| {
            column(&Field::Metadata(key.to_owned()))
        }),
        keyed("feedback", &[], |key| {
            column(&Field::Feedback(key.to_owned()))
        }),
        keyed("expectation", &[], |key| {
            column(&Field::Expectation(key.to_owned()))
        }),
        keyed("assessments", &["assessment"], |key| {
            column(&Field::Assessment(key.to_owned()))
        }),
    ])
}

/// What files of traces hold unless told otherwise.
pub fn in_files() -> Vec<Column<Trace>> {
    traces().plain()[..IN_FILES.len() + whole().len()].to_vec()
}

const fn keyed(
    prefix: &'static str,
    aliases: &'static [&'static str],
    column: fn(&str) -> Column<Trace>,
) -> Keyed<Trace> {
    Keyed {
        prefix,
        aliases,
        placeholder: "key",
        column,
    }
}

fn whole() -> [Column<Trace>; 3] {
    [
        Column::new("tags", Kind::Map, |trace: &Trace| {
            Datum::Map(&trace.info.tags)
        }),
        Column::new("metadata", Kind::Map, |trace: &Trace| {
            Datum::Map(&trace.info.metadata)
        })
        .also(["trace_metadata", "request_metadata"]),
        Column::new("assessments", Kind::Json, |trace: &Trace| {
            let info = &trace.info;
            let list = info.assessments.iter();
            let list = json_list(list.map(|one| AssessmentJson::new(one, &info.trace_id)));
            Datum::some(Datum::Json, list.map(Cow::Owned))
        }),
    ]
}

/// Where the traces of a search for a text have it: the span, and the words around it.
pub fn matched(text: String) -> Column<Trace> {
    let of = move |trace: &Trace| excerpt(trace, &text);
    let shown = of.clone();
    Column::new("match", Kind::Text, move |trace: &Trace| {
        let found = of(trace).map(|(span, words)| Cow::Owned(format!("{span}: {words}")));
        Datum::cow(found)
    })
    .in_room(Room::Preview { at_least: 16 })
    .needing(Some(Detail::Whole))
    .shown_as(move |trace, layout| match shown(trace) {
        Some((span, words)) => {
            Cell::new(layout.style.name(), span).and(layout.style.text(), format!(": {words}"))
        }
        None => Cell::new(layout.style.muted(), units::NONE),
    })
}

/// The column of a field.
pub fn column(field: &Field) -> Column<Trace> {
    let def = field.def();
    let kind = kind(field);
    let names = if def.prefix().is_some() {
        Vec::new()
    } else {
        let others = def.aliases.iter().chain(def.foreign).copied();
        std::iter::once(def.name).chain(others).collect()
    };
    let (of, shown) = (field.clone(), field.clone());
    Column::new(field.machine_name(), kind, move |trace: &Trace| {
        datum(&of, trace)
    })
    .also(names)
    .titled(field.title())
    .in_room(room(field))
    .needing(field.detail())
    .shown_as(move |trace, layout| cell(&shown, trace, layout))
}

fn datum<'a>(field: &Field, trace: &'a Trace) -> Datum<'a> {
    if *field == Field::Status {
        return Datum::State(trace.info.state.as_str());
    }
    match field.value(trace) {
        None => Datum::Missing,
        Some(Value::Text(text)) => Datum::Text(text),
        Some(Value::Time(time)) => Datum::Time(time),
        Some(Value::Duration(ns)) => Datum::Duration(ns),
        Some(Value::Count(n)) => Datum::Integer(n),
        Some(Value::Money(usd)) => Datum::Money(usd),
        Some(Value::Number(number)) => Datum::Score(number),
        Some(Value::Bool(yes)) => Datum::Flag(yes),
    }
}

/// Assessments are text, since the values of one name may be of several kinds.
fn kind(field: &Field) -> Kind {
    match (field, field.def().unit) {
        (Field::Status, _) => Kind::State,
        (_, Unit::Id) => Kind::Id,
        (_, Unit::Time) => Kind::Time,
        (_, Unit::Duration) => Kind::Duration,
        (_, Unit::Count) => Kind::Count,
        (_, Unit::Money) => Kind::Money,
        (_, Unit::Text | Unit::OneOf(_) | Unit::Anything) => Kind::Text,
    }
}

fn room(field: &Field) -> Room {
    match field {
        Field::RequestId => Room::Id,
        Field::Request | Field::Response => Room::Preview { at_least: 10 },
        // The first words of an error are its type, which alone tells little.
        Field::Error => Room::Preview { at_least: 24 },
        field if field.def().unit.is_number() || kind(field) == Kind::Id => match kind(field) {
            Kind::Time => Room::Time,
            _ => Room::Rigid,
        },
        Field::Status => Room::State,
        Field::Experiment | Field::Prompt | Field::IssueId => Room::Rigid,
        _ => Room::Text { at_least: 10 },
    }
}

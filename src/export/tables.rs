//! Traces and spans as tables, in the formats that have columns.

use std::io;

use super::Delimited;
use super::format::{Document, End, Losses, Order, Out, What};
use crate::analysis::analyse;
use crate::model::Trace;
use crate::table::Rows;
use crate::table::delimited::DelimitedTable;
#[cfg(feature = "parquet")]
use crate::table::parquet::ParquetTable;
use crate::table::rows::spans::{self, Spans};

type Begun<'a> = io::Result<Box<dyn Document + 'a>>;

/// Delimited text.
pub(super) fn delimited<'a>(out: Out<'a>, order: &Order<'_>, format: Delimited) -> Begun<'a> {
    let columns = order.columns;
    Ok(match order.what {
        What::Spans => {
            let columns = columns.spans.clone();
            Box::new(OfSpans(DelimitedTable::new(out, format, columns)?))
        }
        What::Traces => {
            let columns = columns.traces.clone();
            Box::new(OfTraces(DelimitedTable::new(out, format, columns)?))
        }
    })
}

/// Parquet.
#[cfg(feature = "parquet")]
pub(super) fn parquet<'a>(out: Out<'a>, order: &Order<'_>) -> Begun<'a> {
    let columns = order.columns;
    Ok(match order.what {
        What::Spans => {
            let columns = columns.spans.clone();
            Box::new(OfSpans(ParquetTable::new(out, "spans", columns)?))
        }
        What::Traces => {
            let columns = columns.traces.clone();
            Box::new(OfTraces(ParquetTable::new(out, "traces", columns)?))
        }
    })
}

/// A table in any format.
trait Table<R: Rows> {
    fn push<'r>(&mut self, row: &'r R::Row<'r>) -> io::Result<()>;
    fn finish(self) -> io::Result<()>;
}

impl<R: Rows> Table<R> for DelimitedTable<'_, R> {
    fn push<'r>(&mut self, row: &'r R::Row<'r>) -> io::Result<()> {
        Self::push(self, row)
    }

    fn finish(self) -> io::Result<()> {
        Self::finish(self)
    }
}

#[cfg(feature = "parquet")]
impl<R: Rows> Table<R> for ParquetTable<'_, R> {
    fn push<'r>(&mut self, row: &'r R::Row<'r>) -> io::Result<()> {
        Self::push(self, row)
    }

    fn finish(self) -> io::Result<()> {
        Self::finish(self)
    }
}

struct OfSpans<T>(T);

impl<T: Table<Spans>> Document for OfSpans<T> {
    fn push(&mut self, trace: &Trace) -> io::Result<()> {
        spans::each(&analyse(trace), |row| self.0.push(row))
    }

    fn finish(self: Box<Self>, _: &End<'_>) -> io::Result<Losses> {
        self.0.finish()?;
        Ok(Losses::default())
    }
}

struct OfTraces<T>(T);

impl<T: Table<Trace>> Document for OfTraces<T> {
    fn push(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.push(trace)
    }

    fn finish(self: Box<Self>, _: &End<'_>) -> io::Result<Losses> {
        self.0.finish()?;
        Ok(Losses::default())
    }
}

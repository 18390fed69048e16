//! Lists of traces, of spans and of what is told of one trace as delimited text.

use std::io::{self, Write};

use crate::analysis::{By, LatencyReport, Row};
use crate::table::delimited::write;
use crate::table::rows::latency;
use crate::table::rows::stretches::{self, GapRow, OF_GAPS, OF_SECTIONS, SectionRow};

pub use crate::table::delimited::{Delimited, RowWriter};

/// Writes the groups of a latency report; where each is a span, with its id.
pub fn write_latency(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    rows: &[Row],
    by: By,
    format: Delimited,
) -> io::Result<()> {
    let groups = latency::of_one(report, rows, by);
    write(out, format, latency::told_of_one(by), &groups)
}

/// Writes the critical path in order of time.
pub fn write_critical_path(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    format: Delimited,
) -> io::Result<()> {
    let sections = report.sections.iter();
    let rows: Vec<SectionRow<'_>> = sections
        .map(|section| SectionRow { report, section })
        .collect();
    write(out, format, stretches::sections().some(&OF_SECTIONS), &rows)
}

/// Writes the gaps, largest first.
pub fn write_gaps(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    format: Delimited,
) -> io::Result<()> {
    let gaps = report.gaps.iter();
    let rows: Vec<GapRow<'_>> = gaps.map(|gap| GapRow { report, gap }).collect();
    write(out, format, stretches::gaps().some(&OF_GAPS), &rows)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::{Sort, analyse};
    use crate::model::Trace;
    use crate::render::Column;
    use crate::render::sample::{hostile, info, trace, written};
    use crate::table::delimited::DelimitedTable;
    use crate::table::rows::spans;

    fn columns() -> Vec<crate::table::Column<Trace>> {
        [
            "trace_id",
            "name",
            "state",
            "duration",
            "tokens",
            "cost",
            "request",
            "tags.formula",
        ]
        .map(|name| name.parse::<Column>().unwrap().in_table())
        .to_vec()
    }

    fn list(format: Delimited) -> String {
        let mut hostile = hostile().info;
        hostile
            .tags
            .insert("formula".into(), "=HYPERLINK(\"http://x\")".into());
        hostile.request_preview = Some("two\nlines, \"quoted\"".into());
        written(|out| {
            let mut rows = DelimitedTable::new(out, format, columns())?;
            for info in [&info(), &hostile] {
                let (info, spans) = (info.clone(), Vec::new());
                rows.push(&Trace { info, spans })?;
            }
            rows.finish()
        })
    }

    #[test]
    fn traces_have_one_row_each() {
        assert_snapshot!(list(Delimited::Csv), @r#"
        trace_id,name,state,duration_ns,total_tokens,cost_usd,request,tags.formula
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,agent,ERROR,1640000000,1234,0.0123,"{""question"": ""How do I get my money back?""}",
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,"\x1b]0;owned\x07ag\u{202e}tne
        x",ERROR,1640000000,1234,0.0123,"two
        lines, ""quoted""","'=HYPERLINK(""http://x"")"
        "#);
        let tsv = list(Delimited::Tsv);
        assert_snapshot!(tsv.replace('\t', " ⇥ "), @r#"
        trace_id ⇥ name ⇥ state ⇥ duration_ns ⇥ total_tokens ⇥ cost_usd ⇥ request ⇥ tags.formula
        tr-b6df45fdeeac3d7f64f3de29e167bcbd ⇥ agent ⇥ ERROR ⇥ 1640000000 ⇥ 1234 ⇥ 0.0123 ⇥ {"question": "How do I get my money back?"} ⇥ 
        tr-b6df45fdeeac3d7f64f3de29e167bcbd ⇥ \x1b]0;owned\x07ag\u{202e}tne\nx ⇥ ERROR ⇥ 1640000000 ⇥ 1234 ⇥ 0.0123 ⇥ two\nlines, "quoted" ⇥ '=HYPERLINK("http://x")
        "#);
        assert!(tsv.lines().all(|line| line.split('\t').count() == 8));
    }

    #[test]
    fn csv_is_read_back() {
        let text = list(Delimited::Csv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&rows[1][6], "two\nlines, \"quoted\"");
        assert_eq!(&rows[1][7], "'=HYPERLINK(\"http://x\")");
    }

    #[test]
    fn spans_keep_exact_figures() {
        let trace = trace();
        let report = analyse(&trace);
        let csv = written(|out| {
            let columns = spans::spans().some(&[
                "trace_id",
                "span_id",
                "parent_span_id",
                "depth",
                "name",
                "type",
                "status",
                "start_time",
                "start_offset_ns",
                "duration_ns",
                "total_ratio",
                "self_ns",
                "critical_ns",
                "input_tokens",
                "output_tokens",
                "error",
            ]);
            let mut rows = DelimitedTable::new(out, Delimited::Csv, columns)?;
            spans::each(&report, |row| rows.push(row))?;
            rows.finish()
        });
        assert_snapshot!(csv, @r#"
        trace_id,span_id,parent_span_id,depth,name,type,status,start_time,start_offset_ns,duration_ns,total_ratio,self_ns,critical_ns,input_tokens,output_tokens,error
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a1,,0,agent,AGENT,OK,2026-11-22T20:56:36.791Z,0,1640000000,1,42000000,42000000,,,
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a2,00000000000000a1,1,retrieve,RETRIEVER,OK,2026-11-22T20:56:36.803Z,12000000,298000000,0.18170731707317073,2000000,2000000,,,
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a5,00000000000000a2,2,embed,EMBEDDING,OK,2026-11-22T20:56:36.804Z,13000000,53000000,0.03231707317073171,53000000,53000000,,,
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a6,00000000000000a2,2,search index,UNKNOWN,OK,2026-11-22T20:56:36.857Z,66000000,243000000,0.14817073170731707,243000000,243000000,,,
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a3,00000000000000a1,1,lookup_order,TOOL,ERROR,2026-11-22T20:56:37.111Z,320000000,370000000,0.22560975609756098,370000000,370000000,,,TimeoutError: the order service did not answer
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a4,00000000000000a1,1,chat,CHAT_MODEL,OK,2026-11-22T20:56:37.491Z,700000000,930000000,0.5670731707317073,929000000,929000000,1180,54,
        tr-b6df45fdeeac3d7f64f3de29e167bcbd,00000000000000a7,00000000000000a4,2,stream,TASK,OK,2026-11-22T20:56:38.420Z,1629000000,1000000,0.0006097560975609756,1000000,1000000,,,
        "#);
    }

    #[test]
    fn latency_views_are_tables_too() {
        let trace = trace();
        let report = analyse(&trace);
        let rows = report.rows(By::Type, Sort::SelfTime);
        assert_snapshot!(written(|out| write_latency(out, &report, &rows, By::Type, Delimited::Csv)), @r#"
        name,type,count,errors,in_progress,total_ns,total_ratio,self_ns,self_ratio,critical_ns,critical_ratio
        CHAT_MODEL,CHAT_MODEL,1,0,0,930000000,0.5670731707317073,929000000,0.5664634146341463,929000000,0.5664634146341463
        TOOL,TOOL,1,1,0,370000000,0.22560975609756098,370000000,0.22560975609756098,370000000,0.22560975609756098
        UNKNOWN,UNKNOWN,1,0,0,243000000,0.14817073170731707,243000000,0.14817073170731707,243000000,0.14817073170731707
        EMBEDDING,EMBEDDING,1,0,0,53000000,0.03231707317073171,53000000,0.03231707317073171,53000000,0.03231707317073171
        AGENT,AGENT,1,0,0,1640000000,1,42000000,0.025609756097560974,42000000,0.025609756097560974
        RETRIEVER,RETRIEVER,1,0,0,298000000,0.18170731707317073,2000000,0.0012195121951219512,2000000,0.0012195121951219512
        TASK,TASK,1,0,0,1000000,0.0006097560975609756,1000000,0.0006097560975609756,1000000,0.0006097560975609756
        "#);
        let rows = &report.rows(By::Span, Sort::SelfTime)[..2];
        assert_snapshot!(written(|out| write_latency(out, &report, rows, By::Span, Delimited::Csv)), @r#"
        span_id,name,type,count,errors,in_progress,total_ns,total_ratio,self_ns,self_ratio,critical_ns,critical_ratio
        00000000000000a4,chat,CHAT_MODEL,1,0,0,930000000,0.5670731707317073,929000000,0.5664634146341463,929000000,0.5664634146341463
        00000000000000a3,lookup_order,TOOL,1,1,0,370000000,0.22560975609756098,370000000,0.22560975609756098,370000000,0.22560975609756098
        "#);
        assert_snapshot!(written(|out| write_critical_path(out, &report, Delimited::Csv)), @r#"
        span_id,name,start_offset_ns,duration_ns
        00000000000000a1,agent,0,12000000
        00000000000000a2,retrieve,12000000,1000000
        00000000000000a5,embed,13000000,53000000
        00000000000000a6,search index,66000000,243000000
        00000000000000a2,retrieve,309000000,1000000
        00000000000000a1,agent,310000000,10000000
        00000000000000a3,lookup_order,320000000,370000000
        00000000000000a1,agent,690000000,10000000
        00000000000000a4,chat,700000000,929000000
        00000000000000a7,stream,1629000000,1000000
        00000000000000a1,agent,1630000000,10000000
        "#);
        assert_snapshot!(written(|out| write_gaps(out, &report, Delimited::Csv)), @r#"
        start_offset_ns,duration_ns,before_span_id,before,after_span_id,after
        0,12000000,,,00000000000000a2,retrieve
        310000000,10000000,00000000000000a2,retrieve,00000000000000a3,lookup_order
        690000000,10000000,00000000000000a3,lookup_order,00000000000000a4,chat
        1630000000,10000000,00000000000000a4,chat,,
        "#);
    }
}

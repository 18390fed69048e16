//! The file format of speedscope: an evented profile for each lane of each
//! trace, times in nanoseconds since the trace's first span began. Frames are
//! span names, shared by all profiles.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::format::{Losses, Streamed};
use super::json;
use crate::analysis::{Lanes, Slot, SpanTree};
use crate::model::Trace;

/// Writes traces as one document, as they come. What is kept are the names of spans.
#[derive(Debug, Default)]
pub struct Speedscope {
    any: bool,
    names: Vec<String>,
    frames: HashMap<String, usize>,
}

impl Streamed for Speedscope {
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
        let tree = SpanTree::build(trace);
        let lanes = Lanes::of(&tree);
        let mut by_lane: Vec<Vec<&Slot>> = vec![Vec::new(); lanes.count.max(1)];
        for slot in &lanes.slots {
            by_lane[slot.lane].push(slot);
        }
        let (begin, end) = tree.extent_ns;
        let info = &trace.info;
        let name = match info.name() {
            Some(name) => format!("{name} · {}", info.trace_id),
            None => info.trace_id.clone(),
        };
        let count = by_lane.len();
        for (lane, slots) in by_lane.iter().enumerate() {
            let profile = Profile {
                kind: "evented",
                name: match count {
                    1 => name.clone(),
                    _ => format!("{name} · lane {} of {count}", lane + 1),
                },
                unit: "nanoseconds",
                start_value: 0,
                end_value: end.abs_diff(begin),
                events: self.events(trace, &tree, slots),
            };
            self.open(out)?;
            json::write_compact(out, &profile)?;
        }
        Ok(())
    }

    fn finish(mut self, out: &mut dyn Write) -> io::Result<Losses> {
        if !self.any {
            self.open(out)?;
        }
        out.write_all(b"\n],\"shared\":{\"frames\":")?;
        json::write_compact(out, &Frames(&self.names))?;
        out.write_all(b"}}\n")?;
        Ok(Losses::default())
    }
}

impl Speedscope {
    fn open(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let before: &[u8] = if self.any {
            b",\n"
        } else {
            b"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\
              \"exporter\":\"mlt\",\"activeProfileIndex\":0,\"profiles\":[\n"
        };
        self.any = true;
        out.write_all(before)
    }

    /// Openings and closings in order of time, of which each closing fits the
    /// last opening.
    fn events(&mut self, trace: &Trace, tree: &SpanTree, slots: &[&Slot]) -> Vec<Event> {
        let begin = tree.extent_ns.0;
        let mut events = Vec::with_capacity(slots.len() * 2);
        let mut open: Vec<Event> = Vec::new();
        for slot in slots {
            events.extend(open.drain(slot.depth..).rev());
            let node = tree.node(slot.node);
            let frame = self.frame(&tree.span(slot.node, trace).name);
            let event = |kind, ns: i64| Event {
                kind,
                frame,
                at: ns.abs_diff(begin),
            };
            events.push(event('O', node.start_ns));
            open.push(event('C', node.end_ns));
        }
        events.extend(open.drain(..).rev());
        events
    }

    fn frame(&mut self, name: &str) -> usize {
        if let Some(frame) = self.frames.get(name) {
            return *frame;
        }
        let frame = self.names.len();
        self.names.push(name.to_owned());
        self.frames.insert(name.to_owned(), frame);
        frame
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    events: Vec<Event>,
}

#[derive(Serialize)]
struct Event {
    #[serde(rename = "type")]
    kind: char,
    frame: usize,
    at: u64,
}

struct Frames<'a>(&'a [String]);

impl Serialize for Frames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Frame<'a> {
            name: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|name| Frame { name }))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::Value;

    use super::*;
    use crate::render::sample::{chain, hostile, info, trace, written};

    fn speedscope(traces: &[Trace]) -> String {
        written(|out| {
            let mut document = Speedscope::default();
            for trace in traces {
                document.push(out, trace)?;
            }
            document.finish(out).map(drop)
        })
    }

    /// The greatest depth of each profile, after the check that openings and closings match.
    fn depths(json: &str) -> Vec<usize> {
        let document: Value = serde_json::from_str(json).unwrap();
        let frames = document["shared"]["frames"].as_array().unwrap().len();
        let profiles = document["profiles"].as_array().unwrap();
        let depth = |profile: &Value| {
            let (mut open, mut deepest, mut at) = (Vec::new(), 0, 0);
            for event in profile["events"].as_array().unwrap() {
                let frame = event["frame"].as_u64().unwrap();
                assert!(usize::try_from(frame).unwrap() < frames);
                assert!(event["at"].as_u64().unwrap() >= at);
                at = event["at"].as_u64().unwrap();
                if event["type"] == "O" {
                    open.push(frame);
                } else {
                    assert_eq!(open.pop(), Some(frame));
                }
                deepest = deepest.max(open.len());
            }
            assert!(open.is_empty() && at <= profile["endValue"].as_u64().unwrap());
            deepest
        };
        profiles.iter().map(depth).collect()
    }

    #[test]
    fn a_lane_is_a_profile() {
        let mut trace = trace();
        trace.spans.truncate(5);
        trace.spans[3].end_ns = trace.spans[3].end_ns.map(|ns| ns + 30_000_050);
        let json = speedscope(&[trace]);
        assert_snapshot!(json, @r#"
        {"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":"mlt","activeProfileIndex":0,"profiles":[
        {"type":"evented","name":"agent · tr-b6df45fdeeac3d7f64f3de29e167bcbd · lane 1 of 2","unit":"nanoseconds","startValue":0,"endValue":1640000000,"events":[{"type":"O","frame":0,"at":0},{"type":"O","frame":1,"at":12000000},{"type":"O","frame":2,"at":13000000},{"type":"C","frame":2,"at":66000000},{"type":"C","frame":1,"at":310000000},{"type":"O","frame":3,"at":320000000},{"type":"C","frame":3,"at":690000000},{"type":"C","frame":0,"at":1640000000}]},
        {"type":"evented","name":"agent · tr-b6df45fdeeac3d7f64f3de29e167bcbd · lane 2 of 2","unit":"nanoseconds","startValue":0,"endValue":1640000000,"events":[{"type":"O","frame":4,"at":66000000},{"type":"C","frame":4,"at":339000050}]}
        ],"shared":{"frames":[{"name":"agent"},{"name":"retrieve"},{"name":"embed"},{"name":"lookup_order"},{"name":"search index"}]}}
        "#);
        assert_eq!(depths(&json), [3, 1]);
    }

    #[test]
    fn traces_share_their_frames() {
        let document: Value = serde_json::from_str(&speedscope(&[trace(), trace()])).unwrap();
        assert_eq!(
            document["profiles"][0]["events"],
            document["profiles"][1]["events"]
        );
        assert_eq!(document["shared"]["frames"].as_array().unwrap().len(), 7);
    }

    #[test]
    fn any_trace_is_a_document() {
        let empty = Trace {
            info: info(),
            spans: Vec::new(),
        };
        assert_eq!(depths(&speedscope(&[empty])), [0]);
        assert_eq!(depths(&speedscope(&[])), [0; 0]);
        assert_eq!(depths(&speedscope(&[chain(30_000)])), [30_000]);
        let json = speedscope(&[hostile()]);
        assert!(depths(&json).len() > 1);
        assert!(
            json.chars()
                .all(|c| c == '\n' || !crate::text::sanitize::is_unseen(c))
        );
    }
}

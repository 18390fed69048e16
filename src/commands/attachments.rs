//! `--attachments`: images, sounds and files of what was said, each saved in a file of
//! its own before the transcript names it. One is in memory at a time. What other hosts
//! and vendors keep is not fetched, and no file that is there is replaced.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Context;
use crate::analysis::{Conversation, SpanTree, conversation};
use crate::error::{CommandError, Exit};
use crate::export::attachment_name;
use crate::file::{Existing, Place, Target, cannot};
use crate::messages;
use crate::model::{ATTACHMENT, Media, Part, Trace, TraceInfo};
use crate::regular::{self, Links};
use crate::text::Clean;
use crate::units;

/// Attachments of a run that could not be saved and are named; of the rest the number.
const NAMED: usize = 10;

/// Saves attachments.
pub(super) struct Attachments<'c> {
    context: &'c Context<'c>,
    folder: PathBuf,
    is_new: bool,
    saved: usize,
    failed: usize,
    elsewhere: usize,
}

impl<'c> Attachments<'c> {
    /// Those that are to be saved in a folder, where one is named.
    ///
    /// # Errors
    /// When there can be no such folder.
    pub(super) fn asked_for(
        context: &'c Context<'c>,
        folder: Option<&Path>,
    ) -> Result<Option<Self>> {
        let Some(folder) = folder else {
            return Ok(None);
        };
        let is_new = !folder.exists();
        fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
        Ok(Some(Self {
            context,
            folder: folder.to_owned(),
            is_new,
            saved: 0,
            failed: 0,
            elsewhere: 0,
        }))
    }

    /// Saves those of a conversation, and puts their paths beside them.
    pub(super) fn save(&mut self, trace: &Trace, conversation: &mut Conversation) {
        let mut numbers: HashMap<Option<usize>, usize> = HashMap::new();
        for said in &mut conversation.said {
            let number = numbers.entry(said.span).or_default();
            let span = said.span.and_then(|at| trace.spans.get(at));
            // What was said outside of spans is the trace's.
            let owner = span.map_or(&*trace.info.trace_id, |span| span.span_id.as_str());
            for part in &mut said.message.parts {
                let Part::Media(media) = part else { continue };
                *number += 1;
                if media.data.is_none() && media.uri.is_some() && media.attachment().is_none() {
                    self.elsewhere += 1;
                    continue;
                }
                let saved = self
                    .bytes(&trace.info, media)
                    .and_then(|bytes| self.write(owner, *number, media, &bytes));
                match saved {
                    Ok(path) => {
                        self.saved += 1;
                        media.path = Some(path.display().to_string());
                    }
                    Err(error) => self.warn(owner, *number, &error),
                }
            }
        }
    }

    fn warn(&mut self, owner: &str, number: usize, error: &anyhow::Error) {
        self.failed += 1;
        if self.failed <= NAMED {
            self.context.warn(Clean::line(format!(
                "cannot save attachment {number} of {owner}: {error}"
            )));
        }
    }

    fn bytes(&self, info: &TraceInfo, media: &Media) -> Result<Vec<u8>> {
        let Some(id) = media.attachment() else {
            return messages::bytes(media).map_err(|why| CommandError::new(Exit::Data, why).into());
        };
        let store = self.context.store()?;
        // A history that is resent names the trace that it was first told in.
        let bytes = match of_trace(media).filter(|own| *own != info.trace_id) {
            Some(own) => store.attachment(&store.info(&own)?, id)?,
            None => store.attachment(info, id)?,
        };
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match media.size.filter(|size| *size != found) {
            // Servers that know of no attachments give the trace's spans.
            Some(size) => {
                let (size, found) = (units::bytes(size), units::bytes(found));
                let message = format!("expected {size}, found {found}");
                Err(CommandError::new(Exit::Data, message).into())
            }
            None => Ok(bytes),
        }
    }

    fn write(&self, owner: &str, number: usize, media: &Media, bytes: &[u8]) -> Result<PathBuf> {
        let path = self
            .folder
            .join(attachment_name(owner, number, media, bytes));
        let place = Place::find_file(&path)?;
        if place.is_file() {
            let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let there = regular::read(&path, Links::Refuse, limit);
            if there.is_ok_and(|there| there == bytes) {
                return Ok(path);
            }
            let message = format!("{} is another file", path.display());
            return Err(CommandError::new(Exit::Data, message).into());
        }
        let mut file = Target::at(place, Existing::Kept)?;
        file.write_all(bytes)?;
        file.finish()?;
        Ok(path)
    }

    /// Says what was left out; gives how the command ends that would end like this.
    pub(super) fn finish(self, exit: Exit) -> Exit {
        if self.is_new && self.saved == 0 {
            // Of no use when empty, and of no harm when it cannot be removed.
            let _ = fs::remove_dir(&self.folder);
        }
        if self.elsewhere > 0 {
            let count = units::counted(self.elsewhere, "attachment");
            self.context
                .note(&format!("not fetched, since they are elsewhere: {count}"));
        }
        if self.failed == 0 {
            if self.saved == 0 && self.elsewhere == 0 {
                self.context.note("there are no attachments");
            }
            return exit;
        }
        self.context.warn(format!(
            "{} saved; {} could not be",
            units::counted(self.saved, "attachment"),
            units::whole(self.failed)
        ));
        exit.but_incomplete(true)
    }
}

/// What was said in a trace, its attachments saved where that is asked for.
pub(super) fn said_in(
    trace: &Trace,
    tree: &SpanTree,
    attachments: &mut Option<Attachments<'_>>,
) -> Conversation {
    let mut said = conversation(trace, tree);
    if let Some(attachments) = attachments {
        attachments.save(trace, &mut said);
    }
    said
}

/// The trace that an attachment's address names.
fn of_trace(media: &Media) -> Option<String> {
    let rest = media.uri.as_deref()?.strip_prefix(ATTACHMENT)?;
    let (_, query) = rest.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let named = pairs.find(|(key, value)| key == "trace_id" && !value.is_empty());
    named.map(|(_, id)| id.into_owned())
}

//! A whole form from the body of a request.

use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use fcgi_core::form::tree::Tree;
use fcgi_core::form::{FormError, Kind};

use super::file::{File, Incoming};
use super::parts::{Part, Parts};
use super::{Error, Limits};

/// The form in a body.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) values: Arc<Tree>,
    pub(super) files: Arc<Tree<File>>,
}

impl Body {
    /// Reads the form to the end of `stdin`; reads nothing if it is none, or if `announced` bytes
    /// are more than may come.
    pub(super) fn read<R: BufRead>(
        kind: &Kind,
        stdin: R,
        announced: Option<u64>,
        limits: &Limits,
        directory: Option<&Path>,
    ) -> Result<Body, Error> {
        let limit = match kind {
            Kind::Other => u64::MAX,
            Kind::Urlencoded => u64::try_from(limits.values).unwrap_or(u64::MAX),
            Kind::Multipart(_) => limits.multipart.total,
        };
        if announced.is_some_and(|length| length > limit) {
            return Err(FormError::FormTooLong { limit }.into());
        }
        let mut files = Tree::new(limits.tree);
        let values = match kind {
            Kind::Other => Tree::new(limits.tree),
            Kind::Urlencoded => {
                let body = read_whole(stdin, limit)?;
                Tree::from_urlencoded(&body, limits.tree)?
            }
            Kind::Multipart(boundary) => {
                let parts = Parts::with(boundary, stdin, limits.multipart);
                let mut collector = Collector::new(limits, directory);
                collector.take_all(parts)?;
                files = collector.files;
                collector.values
            }
        };
        Ok(Body {
            values: Arc::new(values),
            files: Arc::new(files),
        })
    }
}

fn read_whole(stdin: impl Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    // One byte more, to know.
    let mut stdin = stdin.take(limit.saturating_add(1));
    stdin.read_to_end(&mut body).map_err(Error::body)?;
    if stdin.limit() == 0 {
        return Err(FormError::FormTooLong { limit }.into());
    }
    Ok(body)
}

/// Sorts parts into values and files.
struct Collector<'a> {
    values: Tree,
    files: Tree<File>,
    limits: &'a Limits,
    directory: Option<&'a Path>,
    /// Bytes that may still be held in memory.
    left_for_values: usize,
    left_for_files: usize,
}

impl<'a> Collector<'a> {
    fn new(limits: &'a Limits, directory: Option<&'a Path>) -> Collector<'a> {
        Collector {
            values: Tree::new(limits.tree),
            files: Tree::new(limits.tree),
            limits,
            directory,
            left_for_values: limits.values,
            left_for_files: limits.files_in_memory,
        }
    }

    fn take_all<R: BufRead>(&mut self, mut parts: Parts<R>) -> Result<(), Error> {
        while let Some(part) = parts.next_part()? {
            self.spend(part.head().len())?;
            if part.is_file() {
                self.file(part)?;
            } else {
                self.value(part)?;
            }
        }
        Ok(())
    }

    fn value<R: BufRead>(&mut self, mut part: Part<'_, R>) -> Result<(), Error> {
        let mut value = Vec::new();
        while let Some(chunk) = part.chunk()? {
            self.spend(chunk.len())?;
            value.extend_from_slice(chunk);
        }
        self.values.insert(part.name(), value.into())?;
        Ok(())
    }

    fn file<R: BufRead>(&mut self, mut part: Part<'_, R>) -> Result<(), Error> {
        let most = self.limits.file_in_memory.min(self.left_for_files);
        let mut incoming = Incoming::new(most, self.directory);
        while let Some(chunk) = part.chunk()? {
            incoming.write(chunk).map_err(Error::spool)?;
        }
        self.left_for_files -= incoming.in_memory();
        let head = part.into_head();
        let name = head.name.clone();
        let file = incoming.finish(head);
        // A field in which no file was chosen.
        if file.is_empty() && file.file_name().as_bytes().is_empty() {
            return Ok(());
        }
        self.files.insert(name, file)?;
        Ok(())
    }

    /// Counts bytes of names and values.
    fn spend(&mut self, length: usize) -> Result<(), FormError> {
        let left = self.left_for_values.checked_sub(length);
        let limit = u64::try_from(self.limits.values).unwrap_or(u64::MAX);
        self.left_for_values = left.ok_or(FormError::FormTooLong { limit })?;
        Ok(())
    }
}

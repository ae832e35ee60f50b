//! Files that are read again when they change.

use super::{Change, Plimsoll};
use crate::error::Error;
use crate::slo::file;
use crate::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often a file is looked at, at most.
const EVERY: Duration = Duration::from_secs(1);

/// A file, and what it was like when it was last read: when it was changed, and its length.
#[derive(Debug)]
pub(in crate::registry) struct Watch {
    path: PathBuf,
    stamp: Option<(SystemTime, u64)>,
    looked: Timestamp,
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

impl Plimsoll {
    /// Reads the declarations in a file ([`file`](crate::slo::file) says how they are written) and [reloads](Self::reload)
    /// them: the first time it declares them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or for what [`reload`](Self::reload) refuses. Then nothing has changed, and an event
    /// says so.
    pub fn reload_file(&self, path: impl AsRef<Path>) -> Result<Vec<Change>, Error> {
        let path = path.as_ref();
        let slos = file::read_path(path);
        let changes = slos.and_then(|slos| self.take_over(slos).map_err(|error| error.at(&path.display().to_string())));
        changes.inspect_err(|error| self.refused(error))
    }

    /// The same, and from then on again whenever the file has changed.
    ///
    /// No thread of its own: [`tick`](Self::tick), and so every scrape, looks at the file's time and length, at most
    /// once a second, and reads it there and then if they are others. A file that is refused changes nothing, is told
    /// as an event, and is read again when it changes again. Write the new file beside the old one and rename it, or a
    /// half-written one may be read, and refused.
    ///
    /// # Errors
    ///
    /// As [`reload_file`](Self::reload_file); then it is not watched.
    pub fn watch_file(&self, path: impl Into<PathBuf>) -> Result<Vec<Change>, Error> {
        let path = path.into();
        // Taken first: a change in between is then seen as one.
        let stamp = stamp(&path);
        let changes = self.reload_file(&path)?;
        let looked = self.inner.hub.clock.now();
        let mut watched = self.inner.watched.lock();
        watched.retain(|watch| watch.path != path);
        watched.push(Watch { path, stamp, looked });
        Ok(changes)
    }

    /// Reads again what has changed.
    pub(in crate::registry) fn look_at_files(&self, now: Timestamp) {
        // With no lock held while they are read: whoever is told of it may watch another.
        let Some(mut watched) = self.inner.watched.try_lock() else { return };
        let mut changed = Vec::new();
        for watch in watched.iter_mut().filter(|watch| now.since(watch.looked) >= EVERY) {
            watch.looked = now;
            let found = stamp(&watch.path);
            if found != watch.stamp {
                watch.stamp = found;
                changed.push(watch.path.clone());
            }
        }
        drop(watched);
        for path in changed {
            // It was told as an event, and there is nobody here to tell.
            let _ = self.reload_file(path);
        }
    }
}

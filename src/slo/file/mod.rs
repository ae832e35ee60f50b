//! Declarations in files, beside the code: TOML, YAML or JSON, all of one shape.
//!
//! A file says what the builder says, under the builder's names, and as little of it as one likes:
//!
//! ```toml
//! [[slos]]
//! name = "checkout"
//! service = "shop"                    # unless said: the SLO's name
//! owner = "team-checkout"
//! runbook = "https://runbooks.example/checkout"
//! depends_on = ["payments"]           # SLOs, by name
//! period = "30d"                      # or "calendar month"; unless said: 30d
//! severity = "P0"                     # the highest that its alerts may have
//! min_events = 10
//! scrape_interval = "15s"
//! reachable_alerts = false
//!
//! [[slos.objectives]]
//! target = 99.95                      # percent; "99.95" is the same
//!
//! [[slos.objectives]]                 # named "latency" unless said, for it has a threshold
//! target = 99.0
//! threshold = "500ms"
//! of_successes = false
//!
//! [[slos.objectives]]
//! name = "presence"
//! target = 99.9
//! timeslices = { length = "1m", target = 95.0 }
//!
//! [[slos.more_alerts]]                # beside those of the period; `alerts` stand in their place
//! severity = "P1"
//! long = "2h"
//! short = "10m"
//! factor = 10.0
//! held_for = "1m"
//!
//! [slos.budget_policy]
//! postmortem_over = 20.0
//! when_exhausted = "freeze everything but P0 fixes and security fixes"
//! under = [{ percent = 25.0, action = "freeze feature releases" }]
//!
//! [slos.accounting]                   # by outcome: good, bad or excluded
//! degraded = "bad"
//! late_abandoned = "excluded"
//! ```
//!
//! Durations are a whole number and a unit: `d`, `h`, `m`, `s`, `ms`, `us`, `ns`. A field that is not known, a key that is
//! there twice, and a declaration that cannot work are refused, with line and path. Files over 1 MiB, nested over
//! 32 deep, or full of aliases are refused before they cost anything.
//!
//! ```
//! use plimsoll::file::{self, Format};
//!
//! let slos = file::read("slos: [{name: checkout, objectives: [{target: 99.9}]}]", Format::Yaml)?;
//! assert_eq!(slos[0].objectives()[0].target().budget(), 0.001);
//! let error = file::read("[[slos]]\nname = 'checkout'\nobjectivs = []", Format::Toml).unwrap_err();
//! assert!(error.to_string().starts_with("line 3, slos[0].objectivs: unknown field"));
//! # Ok::<(), plimsoll::Error>(())
//! ```
//!
//! The declaration's types are `Serialize` and `Deserialize` in the same shape, for configuration of one's own.

mod de;
mod model;
mod parse;
mod words;

use super::Slo;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

pub(crate) use de::{Fault, read_node};
pub(crate) use model::{AccountingModel, AlertModel, ObjectiveModel, SlicesModel, SloModel};
pub(crate) use parse::{Node, documents};
pub(crate) use words::{Length, percent_of_ratio};

/// No file of declarations is this long, in bytes.
const LONGEST: usize = 1 << 20;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `.toml`
    Toml,
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
}

impl Format {
    /// The format of a file, by the ending of its name.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What is in a file.
#[derive(Debug, Serialize)]
struct File<'a> {
    slos: &'a [Slo],
}

/// The same, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a list of SLOs named `slos`")]
struct Parts {
    slos: Vec<Slo>,
}

/// The declarations in a text, each one validated.
///
/// # Errors
///
/// [`Error::is_unreadable`] for what is no such text: of another format or shape, too long, not UTF-8; and whatever
/// [`Slo::validate`] refuses. The message begins with the line and the path.
pub fn read(text: impl AsRef<[u8]>, format: Format) -> Result<Vec<Slo>, Error> {
    let documents = documents(text.as_ref(), format).map_err(Fault::into_error)?;
    let [document] = documents.as_slice() else {
        return Err(Error::unreadable(format!(
            "{} documents where one is expected: write one list `slos` that has all of them",
            documents.len()
        )));
    };
    let Parts { slos } = read_node(document).map_err(Fault::into_error)?;
    for (i, slo) in slos.iter().enumerate() {
        let at = || {
            let line = document.get("slos").and_then(|all| all.item(i)).map_or(0, Node::line);
            format!("line {line}, slos[{i}]")
        };
        slo.validate().map_err(|error| error.at(&at()))?;
        if slos[..i].iter().any(|other| other.name() == slo.name()) {
            let name = slo.name();
            return Err(Error::duplicate(format!(
                "{}: an SLO named {name:?} is in the file already: rename one",
                at()
            )));
        }
    }
    Ok(slos)
}

/// The declarations in a file, whose name ends in `.toml`, `.yaml`, `.yml` or `.json`.
///
/// # Errors
///
/// [`Error::is_unreadable`] if the file cannot be read, and as [`read`] does. The message begins with the path.
pub fn read_path(path: impl AsRef<Path>) -> Result<Vec<Slo>, Error> {
    let path = path.as_ref();
    let format = Format::of(path).ok_or_else(|| {
        Error::unreadable(format!("{}: the name must end in .toml, .yaml, .yml or .json", path.display()))
    })?;
    let mut text = Vec::new();
    let read_bytes = |text| std::fs::File::open(path)?.take(LONGEST as u64 + 1).read_to_end(text);
    read_bytes(&mut text).map_err(|error| Error::unreadable(format!("{}: {error}", path.display())))?;
    read(text, format).map_err(|error| error.at(&path.display().to_string()))
}

/// Writes declarations so that [`read`] gives back the same.
///
/// # Errors
///
/// Whatever [`Slo::validate`] refuses: only what works can be written.
pub fn write(slos: &[Slo], format: Format) -> Result<String, Error> {
    slos.iter().try_for_each(Slo::validate)?;
    let file = File { slos };
    let unwritable = |error: &dyn std::fmt::Display| Error::unreadable(format!("cannot be written: {error}"));
    match format {
        Format::Toml => toml::to_string(&file).map_err(|error| unwritable(&error)),
        Format::Yaml => serde_saphyr::to_string(&file).map_err(|error| unwritable(&error)),
        Format::Json => serde_json::to_string_pretty(&file).map(|text| text + "\n").map_err(|error| unwritable(&error)),
    }
}

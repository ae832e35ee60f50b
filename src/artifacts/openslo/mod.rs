//! OpenSLO v1: what a team has already comes in, and what is declared goes out.
//!
//! Read and written are SLO, SLI, Service, AlertPolicy, AlertCondition, AlertNotificationTarget and DataSource, one object or
//! a list of them to a document, many documents to a file, YAML or JSON, parts inside or by reference. A field that
//! is not the format's is refused, with line and path.
//!
//! A declaration says more than the format can, and other systems' objects say more than a declaration: nothing of either
//! is dropped without a word. Going out, it is kept in annotations under `plimsoll/`, and comes back in from there; coming
//! in, it is a [`Loss`]. Where an annotation contradicts a field of the format, somebody changed the field: it holds.
//!
//! | here | there |
//! |---|---|
//! | an SLO with several objectives | an `SLO` and an `SLI` for each of them, measured by `plimsoll_events_total` |
//! | an alert over two windows | an `AlertPolicy` with a burn-rate condition over the long one |
//! | a timeslice, a calendar month | `Timeslices`, a calendar window of `1M` |
//! | a metric of some other system | an objective to be counted in code, and a [`Loss`] with the query |
//!
//! ```
//! use plimsoll::artifacts::openslo;
//! use plimsoll::{Slo, file::Format};
//!
//! let slo = Slo::new("checkout").success(99.9).owner("team-checkout");
//! let export = openslo::export(&[slo.clone()], Format::Yaml)?;
//! assert!(export.losses.iter().any(|loss| loss.what.contains("`owner`")));
//! let import = openslo::import(&export.text, Format::Yaml)?;
//! assert_eq!((import.slos, import.losses.len()), (vec![slo], 0));
//! # Ok::<(), plimsoll::Error>(())
//! ```

mod alerts;
mod export;
mod extras;
mod import;
mod indicator;
mod library;
mod losses;
mod model;
mod words;

use super::{Artifact, Kit, Subject};
use crate::error::Error;
use crate::slo::Slo;
use crate::slo::file::{Fault, Format, documents};
use serde_json::Value;
use std::fmt;

/// Something that has no place on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The object that says it.
    pub object: String,
    /// What it is, and what becomes of it.
    pub what: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// What came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Declarations that work.
    pub slos: Vec<Slo>,
    /// What they do not say.
    pub losses: Vec<Loss>,
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Many documents of YAML, or one list of JSON.
    pub text: String,
    /// What only annotations say.
    pub losses: Vec<Loss>,
}

/// Reads objects of OpenSLO v1. References are to objects in the same text.
///
/// # Errors
///
/// [`Error::is_unreadable`] for what is not of the format, with line and path; and whatever [`Slo::validate`] refuses of
/// the declarations that come of it.
pub fn import(text: impl AsRef<[u8]>, format: Format) -> Result<Import, Error> {
    no_toml(format)?;
    let documents = documents(text.as_ref(), format).map_err(Fault::into_error)?;
    import::import(&documents)
}

/// Writes declarations as objects of OpenSLO v1.
///
/// # Errors
///
/// Whatever [`Slo::validate`] refuses, and TOML, which the format is not written in.
pub fn export(slos: &[Slo], format: Format) -> Result<Export, Error> {
    no_toml(format)?;
    let written = export::write(slos)?;
    let objects: Vec<Value> = written.shared.into_iter().chain(written.slos.into_iter().flatten()).collect();
    let text = match format {
        Format::Json => format!("{:#}\n", Value::Array(objects)),
        _ => yaml(&objects)?,
    };
    Ok(Export { text, losses: written.losses.into_iter().flatten().collect() })
}

fn no_toml(format: Format) -> Result<(), Error> {
    if format == Format::Toml {
        return Err(Error::unreadable("OpenSLO is written in YAML or JSON: take one of these"));
    }
    Ok(())
}

fn yaml(objects: &[Value]) -> Result<String, Error> {
    let mut text = String::new();
    for object in objects {
        // Folding would break long queries into lines.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        let object = serde_saphyr::to_string_with_options(object, options);
        text += "---\n";
        text += &object.map_err(|error| Error::unreadable(format!("cannot be written: {error}")))?;
    }
    Ok(text)
}

/// What only annotations say, as comments: the same of several objects once.
fn notes(losses: &[Loss]) -> String {
    let mut notes = String::new();
    for (i, Loss { object, what }) in losses.iter().enumerate() {
        if losses[..i].iter().all(|earlier| earlier.what != *what) {
            let more = losses[i + 1..].iter().filter(|later| later.what == *what).count();
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            notes += &format!("# {object}{more}: {what}\n");
        }
    }
    notes
}

/// `openslo/shared.yaml`, and a file for each SLO that says in its head what only annotations say.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    // A kit is made of declarations that work, and those can be written.
    let Ok(written) = export::write(kit.slos()) else { return Vec::new() };
    let mut artifacts = Vec::new();
    let mut file = |name: &str, losses: &[Loss], objects: &[Value]| {
        let notes = notes(losses);
        let text = yaml(objects).unwrap_or_default();
        artifacts.push(Artifact::new(format!("openslo/{name}.yaml"), notes + &text));
    };
    file(Subject::SHARED, &[], &written.shared);
    for (subject, (objects, losses)) in kit.subjects().iter().zip(written.slos.iter().zip(&written.losses)) {
        file(&subject.slug, losses, objects);
    }
    artifacts
}

//! WRITE: what the people and machines around a service need, from its declarations alone.
//!
//! Nothing here sees run-time state, so a kit can be written by a test, a build script or a program of its own.

pub mod openslo;

use crate::error::Error;
use crate::slo::Slo;

/// One file of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it goes, relative to the kit's directory, with `/` between the parts.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Everything that is written from a set of declarations.
#[derive(Clone, Debug)]
pub struct Kit {
    slos: Vec<Slo>,
}

impl Kit {
    /// A kit for these SLOs.
    ///
    /// # Errors
    ///
    /// The first declaration that cannot work, or two of one name.
    pub fn new(slos: impl IntoIterator<Item = Slo>) -> Result<Self, Error> {
        let slos: Vec<Slo> = slos.into_iter().collect();
        for (i, slo) in slos.iter().enumerate() {
            slo.validate()?;
            if slos[..i].iter().any(|other| other.name() == slo.name()) {
                let name = slo.name();
                return Err(Error::duplicate(format!("two SLOs are named {name:?}: give each its own name")));
            }
        }
        Ok(Self { slos })
    }

    /// The declarations it is written from.
    pub fn slos(&self) -> &[Slo] {
        &self.slos
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> Vec<Artifact> {
        let mut files = openslo::files(self);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}

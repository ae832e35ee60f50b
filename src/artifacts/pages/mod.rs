//! Pages about the SLOs together: who is on call and how, what the budgets are for, what is written after an incident, and
//! what all these files are.

mod oncall;
mod policy;
mod postmortem;
mod readme;

use super::{Artifact, Kit};

/// All of them.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    vec![
        Artifact::new("README.md", readme::page(kit)),
        Artifact::new("oncall.md", oncall::page(kit)),
        Artifact::new("policy/error-budget.md", policy::page(kit)),
        Artifact::new("postmortem.md", postmortem::page(kit)),
    ]
}

//! One SLO as it is written about: the names that files, series and dashboards have for it.

use super::text::slug_unlike;
use crate::slo::{AlertWindow, Objective, Slo};
use std::time::Duration;

/// Grafana takes no longer ones.
const LONGEST_UID: usize = 40;

/// An SLO, with what it is called where its own name cannot be.
#[derive(Clone, Debug)]
pub(super) struct Subject<'a> {
    pub(super) slo: &'a Slo,
    /// Lower-case letters, digits and dashes, unlike any other SLO's.
    pub(super) slug: String,
}

impl<'a> Subject<'a> {
    /// What files are called that belong to no SLO alone; no SLO has this slug.
    pub(super) const SHARED: &'static str = "shared";
    /// Dashboards that belong to no SLO alone; no SLO has these slugs either.
    pub(super) const OVERVIEW: &'static str = "overview";
    pub(super) const DEPENDENCIES: &'static str = "dependencies";

    pub(super) fn all(slos: &'a [Slo]) -> Vec<Self> {
        let mut taken = [Self::SHARED, Self::OVERVIEW, Self::DEPENDENCIES].map(str::to_owned).to_vec();
        slos.iter().map(|slo| Self { slo, slug: slug_unlike(slo.name(), &mut taken) }).collect()
    }

    /// Each objective with its alerts, the most urgent first.
    pub(super) fn objectives(&self) -> impl Iterator<Item = (&'a Objective, Vec<AlertWindow>)> + use<'_, 'a> {
        self.slo.objectives().iter().map(|objective| {
            let mut pairs = self.slo.alert_windows_of(objective);
            pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.severity()), pair.long()));
            (objective, pairs)
        })
    }

    /// Every window that an alert looks at, each once, the shortest first.
    pub(super) fn windows(&self) -> Vec<Duration> {
        let pairs = self.slo.alert_windows();
        let mut windows: Vec<Duration> = pairs.iter().flat_map(|pair| [pair.short(), pair.long()]).collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    /// The uid of its dashboard.
    pub(super) fn dashboard_uid(&self) -> String {
        let uid = format!("plimsoll-{}", self.slug);
        if uid.len() <= LONGEST_UID {
            return uid;
        }
        // Cut, and told apart from others that begin alike.
        let print = crate::slo::fingerprint(self.slo.name());
        format!("{}-{}", uid[..LONGEST_UID - 9].trim_end_matches('-'), &print[..8])
    }
}

//! Dashboards for Grafana: all SLOs at a glance, one SLO in detail, and what depends on what.
//!
//! They are in the classic model (schema version 39: Grafana 11, and what reads it), to be imported by hand as well as
//! to be provisioned: the data source is a variable, uids follow from the SLOs' names, ids of databases there are none.
//!
//! | file | answers |
//! |---|---|
//! | `overview.json` | is anything wrong, and where? |
//! | `<slug>.json` | how bad is it, since when, what kind of failure, what do the guards do about it? |
//! | `dependencies.json` | whose fault is it: which guard refuses, which service in the chain is slow? |
//!
//! What Prometheus' rules record is read where it exists, for it is summed over instances; what belongs to an instance,
//! or has no rule, is read from what the processes export, of the jobs and instances that are chosen on top.

mod dependencies;
mod detail;
mod guards;
mod model;
mod objective;
mod overview;
mod provisioning;
mod query;

use super::{Artifact, Kit, Subject};
use model::{TAG, annotation, link};
use query::Of;
use serde_json::Value;

/// All dashboards, and what Grafana needs to find them and their data.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let subjects = kit.subjects();
    let mut files = vec![
        Artifact::new("grafana/overview.json", overview::dashboard(&subjects).text()),
        Artifact::new("grafana/dependencies.json", dependencies::dashboard(&subjects).text()),
    ];
    for subject in &subjects {
        files.push(Artifact::new(format!("grafana/{}.json", subject.slug), detail::dashboard(kit, subject).text()));
    }
    files.extend(provisioning::files(kit));
    files
}

/// The uid of a dashboard that belongs to no SLO alone; no SLO has these names for a slug.
fn uid(name: &str) -> String {
    format!("{TAG}-{name}")
}

/// Links on top: to the other dashboards, with the same data source and the same time.
fn links(but: &str) -> Vec<Value> {
    let all = [("Overview", Subject::OVERVIEW), ("Dependencies", Subject::DEPENDENCIES)];
    let others = all.into_iter().filter(|(_, name)| *name != but);
    others.map(|(title, name)| link(title, &format!("/d/{}?${{datasource:queryparam}}", uid(name)), false)).collect()
}

/// Alerts that fired, on every graph.
fn annotations(of: &Of) -> Vec<Value> {
    let colours = [("P0", "red"), ("P1", "orange"), ("P2", "yellow")];
    let each = colours.map(|(severity, colour)| {
        annotation(
            &format!("{severity} alerts"),
            colour,
            &of.firing(&[query::is(crate::names::label::SEVERITY, severity)]),
        )
    });
    each.to_vec()
}

/// A number in a query: all its digits, no exponent.
fn number(value: f64) -> String {
    value.to_string()
}

//! What is in objects and has no place in a declaration.

use super::Loss;
use super::export::{SOURCE, TARGETS};
use super::library::{Found, Library, Shelf};
use super::model::{Metadata, annotation};
use crate::slo::Slo;

/// Labels, annotations and display names.
pub(super) fn of_metadata(object: &str, metadata: &Metadata, losses: &mut Vec<Loss>) {
    losses.extend(in_metadata(metadata).map(|what| Loss { object: object.to_owned(), what }));
}

/// The same, in words.
pub(super) fn in_metadata(metadata: &Metadata) -> impl Iterator<Item = String> {
    let display_name = metadata.display_name.iter().map(|_| "its display name is not kept".to_owned());
    let labels = metadata.labels.keys().map(|label| format!("its label {label:?} is not kept"));
    let ours = [annotation::SLO, annotation::OBJECTIVE, annotation::ALERT];
    let others = metadata.annotations.keys().filter(move |key| !ours.contains(&key.as_str()));
    display_name.chain(labels).chain(others.map(|key| format!("its annotation {key:?} is not kept")))
}

/// Of all objects but the SLOs, when those are read.
pub(super) fn of_the_rest(library: &Library<'_>, slos: &[Slo], losses: &mut Vec<Loss>) {
    unused("SLI", &library.slis, losses);
    unused("AlertPolicy", &library.policies, losses);
    unused("AlertCondition", &library.conditions, losses);
    for Found { metadata, spec, .. } in &library.targets.found {
        let object = format!("AlertNotificationTarget {}", metadata.name);
        of_metadata(&object, metadata, losses);
        if !TARGETS.iter().any(|(_, name, target)| (*name, *target) == (&*metadata.name, &*spec.target)) {
            let what = format!(
                "its target {:?} is not kept: who is told is said in Alertmanager's configuration",
                spec.target
            );
            losses.push(Loss { object: object.clone(), what });
        }
        if spec.description.is_some() {
            losses.push(Loss { object, what: "its description is not kept".to_owned() });
        }
    }
    for Found { metadata, spec, .. } in &library.services.found {
        let object = format!("Service {}", metadata.name);
        let known =
            metadata.display_name.as_ref().is_some_and(|name| slos.iter().any(|slo| slo.service_name() == name));
        let display_name = metadata.display_name.clone().filter(|_| !known);
        of_metadata(&object, &Metadata { display_name, ..metadata.clone() }, losses);
        if spec.as_ref().is_some_and(|spec| spec.description.is_some()) {
            losses.push(Loss { object, what: "its description is not kept".to_owned() });
        }
    }
    for Found { metadata, spec, .. } in &library.sources.found {
        let object = format!("DataSource {}", metadata.name);
        of_metadata(&object, metadata, losses);
        let ours = metadata.name == SOURCE && spec.kind == "Prometheus" && spec.description.is_none();
        if !ours || spec.connection_details.as_object().is_some_and(|details| !details.is_empty()) {
            let what = "how to connect to it is not kept: plimsoll measures in the process".to_owned();
            losses.push(Loss { object, what });
        }
    }
}

fn unused<S>(kind: &str, shelf: &Shelf<'_, S>, losses: &mut Vec<Loss>) {
    for Found { metadata, used, .. } in &shelf.found {
        let object = format!("{kind} {}", metadata.name);
        if !used {
            losses.push(Loss { object: object.clone(), what: "nothing refers to it: it is not kept".to_owned() });
        }
        of_metadata(&object, metadata, losses);
    }
}

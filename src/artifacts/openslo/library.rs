//! The objects of some documents, by kind and name.

use super::model::{
    AlertConditionSpec, AlertPolicySpec, DataSourceSpec, Metadata, NotificationTargetSpec, Object, ServiceSpec,
    SliSpec, SloSpec, VERSION,
};
use crate::slo::file::{Fault, Node, read_node};
use serde::de::DeserializeOwned;

/// An object, and where it was found.
#[derive(Debug)]
pub(super) struct Found<'a, S> {
    pub(super) node: &'a Node,
    pub(super) metadata: Metadata,
    pub(super) spec: S,
    /// Whether another object refers to it.
    pub(super) used: bool,
}

/// Objects of one kind, in the order in which they were found.
#[derive(Debug)]
pub(super) struct Shelf<'a, S> {
    kind: &'static str,
    pub(super) found: Vec<Found<'a, S>>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Library<'a> {
    pub(super) slos: Shelf<'a, SloSpec>,
    pub(super) slis: Shelf<'a, SliSpec>,
    pub(super) policies: Shelf<'a, AlertPolicySpec>,
    pub(super) conditions: Shelf<'a, AlertConditionSpec>,
    pub(super) targets: Shelf<'a, NotificationTargetSpec>,
    pub(super) services: Shelf<'a, Option<ServiceSpec>>,
    pub(super) sources: Shelf<'a, DataSourceSpec>,
}

impl<'a, S: DeserializeOwned> Shelf<'a, S> {
    const fn new(kind: &'static str) -> Self {
        Self { kind, found: Vec::new() }
    }

    fn put(&mut self, node: &'a Node) -> Result<(), Fault> {
        let Object { metadata, spec, .. } = read_node::<Object<S>>(node)?;
        if let Some(first) = self.found.iter().find(|found| found.metadata.name == metadata.name) {
            let (kind, name, line) = (self.kind, &metadata.name, first.node.line());
            let message = format!("there is a {kind} named {name:?} already, in line {line}: rename one");
            return Err(node.fault(&["metadata", "name"], message));
        }
        self.found.push(Found { node, metadata, spec, used: false });
        Ok(())
    }

    /// What is named `name`; from now on it is used.
    pub(super) fn take(&mut self, name: &str) -> Result<&Found<'a, S>, String> {
        let known: Vec<_> = self.found.iter().map(|found| format!("{:?}", found.metadata.name)).take(20).collect();
        let found = self.found.iter_mut().find(|found| found.metadata.name == name).ok_or_else(|| {
            let known = if known.is_empty() {
                "there is none at all".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            format!("no {} is named {name:?}; {known}", self.kind)
        })?;
        found.used = true;
        Ok(found)
    }
}

impl<'a> Library<'a> {
    /// From documents, each an object or a list of them.
    pub(super) fn of(documents: &'a [Node]) -> Result<Self, Fault> {
        let mut library = Self {
            slos: Shelf::new("SLO"),
            slis: Shelf::new("SLI"),
            policies: Shelf::new("AlertPolicy"),
            conditions: Shelf::new("AlertCondition"),
            targets: Shelf::new("AlertNotificationTarget"),
            services: Shelf::new("Service"),
            sources: Shelf::new("DataSource"),
        };
        for document in documents {
            if document.is_list() {
                for (i, node) in document.items().iter().enumerate() {
                    library.put(node).map_err(|fault| fault.inside(format!("[{i}]"), node.line()))?;
                }
            } else {
                library.put(document)?;
            }
        }
        Ok(library)
    }

    fn put(&mut self, node: &'a Node) -> Result<(), Fault> {
        let text = |key| node.get(key).and_then(Node::text).unwrap_or_default();
        if text("apiVersion") != VERSION {
            let message = format!("{:?} is not read: write {VERSION:?}", text("apiVersion"));
            return Err(node.fault(&["apiVersion"], message));
        }
        match text("kind") {
            "SLO" => self.slos.put(node),
            "SLI" => self.slis.put(node),
            "AlertPolicy" => self.policies.put(node),
            "AlertCondition" => self.conditions.put(node),
            "AlertNotificationTarget" => self.targets.put(node),
            "Service" => self.services.put(node),
            "DataSource" => self.sources.put(node),
            other => Err(node.fault(
                &["kind"],
                format!(
                    "{other:?} is no kind: write SLO, SLI, Service, AlertPolicy, AlertCondition, AlertNotificationTarget or \
                     DataSource"
                ),
            )),
        }
    }
}

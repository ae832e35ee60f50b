//! The kit as a user asks for it: declarations, and the few things that they do not say.

use super::{Alarm, Subject, alertmanager, grafana, kubernetes, openslo, pages, prometheus, runbooks, sync};
use crate::error::Error;
use crate::slo::Slo;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// One file of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it goes, relative to the kit's directory, with `/` between the parts.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl Artifact {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// Everything that is written from a set of declarations.
///
/// What declarations do not say (where services listen, where runbooks are published) has defaults that are plain to see in
/// the files, and a method each.
///
/// ```
/// use plimsoll::{Slo, artifacts::Kit};
///
/// let checkout = Slo::new("checkout").success(99.95).service("shop").owner("team-shop");
/// let kit = Kit::new([checkout])?.address("shop", "shop:3000").runbooks_at("https://runbooks.example");
/// assert!(kit.files().iter().any(|file| file.path == "openslo/checkout.yaml"));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kit {
    slos: Vec<Slo>,
    addresses: BTreeMap<String, Vec<String>>,
    runbooks: String,
    dashboards: String,
    namespace: String,
    time_zone: String,
    tickets: String,
}

impl Kit {
    /// A kit for these SLOs.
    ///
    /// # Errors
    ///
    /// The first declaration that cannot work, two of one name, and none at all.
    pub fn new(slos: impl IntoIterator<Item = Slo>) -> Result<Self, Error> {
        let slos: Vec<Slo> = slos.into_iter().collect();
        for (i, slo) in slos.iter().enumerate() {
            slo.validate()?;
            if slos[..i].iter().any(|other| other.name() == slo.name()) {
                let name = slo.name();
                return Err(Error::duplicate(format!("two SLOs are named {name:?}: give each its own name")));
            }
        }
        if slos.is_empty() {
            return Err(Error::invalid("a kit without SLOs has nothing to write: declare at least one"));
        }
        Ok(Self {
            slos,
            addresses: BTreeMap::new(),
            runbooks: "https://runbooks.example".to_owned(),
            dashboards: "https://grafana.example".to_owned(),
            namespace: "default".to_owned(),
            time_zone: "UTC".to_owned(),
            tickets: "https://tickets.example/alerts".to_owned(),
        })
    }

    /// Where an instance of `service` serves [`ops::router`](crate::ops), as `host:port`; call it once for each instance. A
    /// service of which nothing is said is expected at `<service>:3000`.
    #[must_use]
    pub fn address(mut self, service: impl Into<String>, address: impl Into<String>) -> Self {
        self.addresses.entry(service.into()).or_default().push(address.into());
        self
    }

    /// The URL under which `runbooks/` is published: alerts link to it, unless an SLO names a runbook of its own.
    #[must_use]
    pub fn runbooks_at(mut self, url: impl Into<String>) -> Self {
        self.runbooks = url.into().trim_end_matches('/').to_owned();
        self
    }

    /// Grafana's URL: alerts and runbooks link to dashboards there.
    #[must_use]
    pub fn dashboards_at(mut self, url: impl Into<String>) -> Self {
        self.dashboards = url.into().trim_end_matches('/').to_owned();
        self
    }

    /// The Kubernetes namespace that the services run in.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The time zone of working hours, by its IANA name, such as `Europe/Berlin`.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    /// The URL of the ticket system's webhook: Alertmanager posts P1 alerts there as JSON, and again when they are over.
    #[must_use]
    pub fn tickets_at(mut self, url: impl Into<String>) -> Self {
        self.tickets = url.into();
        self
    }

    /// The declarations it is written from.
    pub fn slos(&self) -> &[Slo] {
        &self.slos
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> Vec<Artifact> {
        let mut files = openslo::files(self);
        files.extend(alertmanager::files(self));
        files.extend(grafana::files(self));
        files.extend(prometheus::files(self));
        files.extend(runbooks::files(self));
        files.extend(pages::files(self));
        files.extend(kubernetes::files(self));
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// Writes all files into `directory`, and takes away those that an earlier kit wrote there and this one does not. Files
    /// that are as they should be are not touched. Returns the paths that changed, relative to it.
    ///
    /// # Errors
    ///
    /// The first that could not be read, written or removed; its path is in the message.
    pub fn write_to(&self, directory: impl AsRef<Path>) -> io::Result<Vec<String>> {
        sync::write(&self.files(), directory.as_ref())
    }

    /// Fails the test that calls it unless `directory` holds exactly what the kit would write: says which files differ, are
    /// missing, or were written by an earlier kit. With the environment variable `PLIMSOLL_UPDATE=1` it writes them instead.
    ///
    /// The path is relative to where tests run: the root of the package. Files of your own beside the kit's are left alone.
    ///
    /// # Panics
    ///
    /// If there is any difference, or the directory cannot be read or written: it is an assertion.
    #[track_caller]
    pub fn assert_in_sync(&self, directory: impl AsRef<Path>) {
        if let Err(difference) = sync::check(&self.files(), directory.as_ref()) {
            #[allow(clippy::panic)] // an assertion, for tests
            {
                panic!("{difference}");
            }
        }
    }

    /// What is written about, in the order of declaration.
    pub(super) fn subjects(&self) -> Vec<Subject<'_>> {
        Subject::all(&self.slos)
    }

    /// The services, each once, in the order of declaration.
    pub(super) fn services(&self) -> Vec<&str> {
        let mut services: Vec<&str> = Vec::new();
        for slo in &self.slos {
            if !services.contains(&slo.service_name()) {
                services.push(slo.service_name());
            }
        }
        services
    }

    /// Where a service's instances are.
    pub(super) fn addresses_of(&self, service: &str) -> Vec<String> {
        let given = self.addresses.get(service).cloned();
        given.unwrap_or_else(|| vec![format!("{}:3000", super::text::slug(service))])
    }

    /// Where to read what to do about an alert: the SLO's own runbook, or the kit's.
    pub(super) fn runbook_url(&self, subject: &Subject<'_>, alarm: Alarm) -> String {
        let written = || format!("{}/{}", self.runbooks, alarm.runbook(subject).trim_start_matches("runbooks/"));
        subject.slo.runbook_url().map_or_else(written, str::to_owned)
    }

    /// Where the dashboard of an SLO is.
    pub(super) fn dashboard_url(&self, subject: &Subject<'_>) -> String {
        format!("{}/d/{}", self.dashboards, subject.dashboard_uid())
    }

    pub(super) fn in_namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn in_time_zone(&self) -> &str {
        &self.time_zone
    }

    pub(super) fn tickets(&self) -> &str {
        &self.tickets
    }
}

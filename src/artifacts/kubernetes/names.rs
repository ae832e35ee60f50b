//! What a service is called in Kubernetes, and where it listens there.

use super::super::Kit;
use super::super::text::{slug, slug_unlike};

/// Where services listen unless an address says otherwise.
const PORT: u16 = 3000;

impl Kit {
    /// The name of a service's objects (RFC 1123), unlike any other service's. Its Deployment and the Deployment's container
    /// are expected to be called so, and its pods to have it as `app.kubernetes.io/name`.
    pub(in crate::artifacts) fn slug_of(&self, service: &str) -> String {
        // No service's file is called like one that belongs to none.
        let mut taken = Vec::new();
        let mut slugs = self.services().into_iter().map(|name| (name, slug_unlike(name, &mut taken)));
        slugs.find(|(name, _)| *name == service).map_or_else(|| slug(service), |(_, slug)| slug)
    }

    /// The port on which it is asked how it does.
    pub(in crate::artifacts) fn port_of(&self, service: &str) -> u16 {
        let addresses = self.addresses_of(service);
        addresses.iter().find_map(|at| at.rsplit_once(':')?.1.parse().ok()).unwrap_or(PORT)
    }

    /// The namespace, as Kubernetes takes it.
    pub(in crate::artifacts) fn namespace_slug(&self) -> String {
        slug(self.in_namespace())
    }

    /// The SLOs of a service whose guards stand at its door: those that no other SLO of the same service depends on. More
    /// pods relieve them; behind them, more pods mean more load on a dependency.
    pub(in crate::artifacts) fn inbound(&self, service: &str) -> Vec<&str> {
        let own = || self.slos().iter().filter(|slo| slo.service_name() == service);
        let inbound: Vec<&str> = own()
            .map(|slo| slo.name())
            .filter(|name| !own().any(|other| other.dependencies().any(|on| on == *name)))
            .collect();
        // A ring of dependencies has no door: then all of them count.
        if inbound.is_empty() { own().map(|slo| slo.name()).collect() } else { inbound }
    }
}

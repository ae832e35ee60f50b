//! What Grafana reads when it starts: where its data and its dashboards are.

use crate::artifacts::text::duration;
use crate::artifacts::yaml::documents;
use crate::artifacts::{Artifact, Kit};
use serde_json::json;

pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    // Ranges of rates follow from it: they must hold several scrapes of the SLO that is scraped least often.
    let interval = kit.slos().iter().map(|slo| slo.scraped_every()).max().unwrap_or_default();
    let datasource = json!({
        "apiVersion": 1,
        "datasources": [{
            "name": "Prometheus", "uid": "prometheus", "type": "prometheus", "access": "proxy",
            "url": "http://prometheus:9090", "isDefault": true, "editable": false,
            "jsonData": {"httpMethod": "POST", "timeInterval": duration(interval)},
        }],
    });
    let dashboards = json!({
        "apiVersion": 1,
        "providers": [{
            "name": "plimsoll", "folder": "SLOs", "type": "file", "disableDeletion": false, "allowUiUpdates": false,
            "updateIntervalSeconds": 30,
            "options": {"path": "/var/lib/grafana/dashboards/plimsoll", "foldersFromFilesStructure": false},
        }],
    });
    vec![
        Artifact::new(
            "grafana/provisioning/datasources/prometheus.yml",
            documents("Where Prometheus is. Goes to /etc/grafana/provisioning/datasources/.", &[datasource]),
        ),
        Artifact::new(
            "grafana/provisioning/dashboards/plimsoll.yml",
            documents(
                "Where the dashboards are: put grafana/*.json there. Goes to /etc/grafana/provisioning/dashboards/.",
                &[dashboards],
            ),
        ),
    ]
}

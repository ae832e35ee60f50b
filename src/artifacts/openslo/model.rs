//! The objects of OpenSLO v1, as far as the format fixes their fields. Source: the specification of `openslo/v1`.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

pub(super) const VERSION: &str = "openslo/v1";

/// Where the format puts data of a system's own: a prefix and a name.
pub(super) mod annotation {
    pub(in super::super) const SLO: &str = "plimsoll/slo";
    pub(in super::super) const OBJECTIVE: &str = "plimsoll/objective";
    pub(in super::super) const ALERT: &str = "plimsoll/alert";
}

/// Structures that have these fields and no others.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct $name { $($(#[$meta])* pub(super) $field: $kind,)* }
    )*};
}

/// Any object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Object<S> {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: S,
}

/// An object inside of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inline<S> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) spec: S,
}

fields! {
    Metadata {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, Value>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
    }

    SloSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        service: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indicator: Option<Inline<SliSpec>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indicator_ref: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        time_window: Vec<TimeWindow>,
        budgeting_method: String,
        objectives: Vec<ObjectiveSpec>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alert_policies: Vec<Item<AlertPolicySpec>>,
    }

    TimeWindow {
        duration: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_rolling: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calendar: Option<Calendar>,
    }

    Calendar {
        start_time: String,
        time_zone: String,
    }

    ObjectiveSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target_percent: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_slice_target: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_slice_window: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indicator: Option<Inline<SliSpec>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indicator_ref: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        composite_weight: Option<f64>,
    }

    SliSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold_metric: Option<Metric>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ratio_metric: Option<RatioMetric>,
    }

    RatioMetric {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counter: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        good: Option<Metric>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bad: Option<Metric>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<Metric>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw_type: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<Metric>,
    }

    Metric {
        metric_source: MetricSource,
    }

    MetricSource {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric_source_ref: Option<String>,
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(default, skip_serializing_if = "Value::is_null")]
        spec: Value,
    }

    AlertPolicySpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert_when_no_data: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert_when_resolved: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert_when_breaching: Option<bool>,
        conditions: Vec<Item<AlertConditionSpec>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notification_targets: Vec<Item<NotificationTargetSpec>>,
    }

    AlertConditionSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        severity: String,
        condition: Condition,
    }

    Condition {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<String>,
        threshold: f64,
        lookback_window: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert_after: Option<String>,
    }

    NotificationTargetSpec {
        target: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    ServiceSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    DataSourceSpec {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(rename = "type")]
        kind: String,
        #[serde(default, skip_serializing_if = "Value::is_null")]
        connection_details: Value,
    }
}

impl Metadata {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), display_name: None, labels: BTreeMap::new(), annotations: BTreeMap::new() }
    }

    pub(super) fn annotated(mut self, key: &str, value: Option<String>) -> Self {
        self.annotations.extend(value.map(|value| (key.to_owned(), value)));
        self
    }
}

/// One of a list: by reference, under the name that references of its kind have, or inside.
#[derive(Clone, Debug)]
pub(super) enum Item<S> {
    Ref(String),
    // Boxed: most lists have references, and references are small.
    Inline(Box<Inline<S>>),
}

/// What may be in a list by reference.
pub(super) trait Referred: Sized {
    const KIND: &'static str;
    const REF: &'static str;
}

impl Referred for AlertPolicySpec {
    const KIND: &'static str = "AlertPolicy";
    const REF: &'static str = "alertPolicyRef";
}

impl Referred for AlertConditionSpec {
    const KIND: &'static str = "AlertCondition";
    const REF: &'static str = "conditionRef";
}

impl Referred for NotificationTargetSpec {
    const KIND: &'static str = "AlertNotificationTarget";
    const REF: &'static str = "targetRef";
}

impl<S: Referred + Serialize> Serialize for Item<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Self::Ref(name) => BTreeMap::from([(S::REF, name)]).serialize(serializer),
            Self::Inline(object) => object.serialize(serializer),
        }
    }
}

/// Both forms at once, so that a fault is told where it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Both<S> {
    alert_policy_ref: Option<String>,
    condition_ref: Option<String>,
    target_ref: Option<String>,
    kind: Option<String>,
    metadata: Option<Metadata>,
    spec: Option<S>,
}

impl<'de, S: Referred + Deserialize<'de>> Deserialize<'de> for Item<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<S>(std::marker::PhantomData<S>);
        impl<'de, S: Referred + Deserialize<'de>> Visitor<'de> for Either<S> {
            type Value = Item<S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an {} or `{}: NAME`", S::KIND, S::REF)
            }

            /// The names alone are what an earlier edition of the format had.
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Item<S>, E> {
                Ok(Item::Ref(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<S>, A::Error> {
                let both = Both::deserialize(MapAccessDeserializer::new(map))?;
                let refs = [
                    ("alertPolicyRef", both.alert_policy_ref),
                    ("conditionRef", both.condition_ref),
                    ("targetRef", both.target_ref),
                ];
                let mut refs = refs.into_iter().filter_map(|(key, name)| Some((key, name?)));
                match (refs.next(), both.kind, both.metadata, both.spec) {
                    (Some((key, name)), None, None, None) if key == S::REF && refs.next().is_none() => {
                        Ok(Item::Ref(name))
                    }
                    (None, kind, Some(metadata), Some(spec)) if kind.as_deref().is_none_or(|kind| kind == S::KIND) => {
                        Ok(Item::Inline(Box::new(Inline { kind, metadata, spec })))
                    }
                    _ => Err(de::Error::custom(format!(
                        "write either `{}: NAME`, or `kind: {}` with `metadata` and `spec`",
                        S::REF,
                        S::KIND
                    ))),
                }
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

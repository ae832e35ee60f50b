//! The `metrics` facade, and the exporter's own endpoint.

use crate::expose::{BUCKET, CALLS, COUNT, agrees, declared, ms, while_calls_go_on};
use crate::support::exposition::{Exposition, promtool};
use metrics_exporter_prometheus::PrometheusBuilder;
use plimsoll::{Breaker, ManualClock, Outcome, Slo};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn what_is_published_is_what_is_rendered() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    let exporter = plimsoll.prometheus_builder().build_recorder();
    while_calls_go_on(&clock, slo, |ended| {
        for _ in 0..20 {
            let least = (ended() + 500).min(2 * CALLS as u64);
            while ended() < least {
                std::thread::yield_now();
            }
            metrics::with_local_recorder(&exporter, || plimsoll.publish());
            agrees(&Exposition::read(&exporter.handle().render()));
        }
    });
    // An SLO and a guard that came later, and refusals.
    let late = plimsoll.declare(Slo::new("late").latency(99.0, ms(30))).unwrap();
    let refusing = late.guard().breaker(Breaker::default()).build().unwrap();
    refusing.force_open();
    assert!(refusing.admit().is_err());
    metrics::with_local_recorder(&exporter, || plimsoll.publish());
    let text = exporter.handle().render();
    promtool(&text);
    let (published, rendered) = (Exposition::read(&text), Exposition::read(&plimsoll.render_own()));
    agrees(&published);
    assert_eq!(published.kinds, rendered.kinds);
    let plain = |read: &Exposition| {
        let mut samples = read.samples.clone();
        // The exporter writes `1` where Prometheus 3 writes `1.0`; and sums of samples are only about right.
        samples.retain(|(name, labels), _| !name.ends_with("_sum") && !labels.contains_key("le"));
        let buckets = read.all(BUCKET, &[]).map(|((name, labels), value)| {
            let mut labels = labels.clone();
            let bound: f64 = labels["le"].parse().unwrap();
            labels.insert("le".to_owned(), bound.to_string());
            ((name.clone(), labels), value)
        });
        samples.extend(buckets.collect::<Vec<_>>());
        samples
    };
    let (published_series, rendered_series) = (plain(&published), plain(&rendered));
    for (series, value) in &rendered_series {
        assert_eq!(published_series.get(series), Some(value), "{series:?}");
    }
    assert_eq!(published_series.len(), rendered_series.len());
}

#[test]
fn the_published_sum_is_right_to_the_width_of_a_bucket() {
    let (plimsoll, slo) = declared(&ManualClock::new());
    let exporter = plimsoll.prometheus_builder().build_recorder();
    let mut sum = 0.0;
    for round in 1..=50 {
        for latency in [ms(round), ms(7 * round), Duration::from_micros(130 * round), Duration::from_secs(round)] {
            slo.record(Outcome::Success, latency);
            sum += latency.as_secs_f64();
        }
        metrics::with_local_recorder(&exporter, || plimsoll.publish());
        let read = Exposition::read(&exporter.handle().render());
        let published = read.value("plimsoll_request_duration_seconds_sum", &[("slo", "checkout")]);
        assert!((published / sum - 1.0).abs() < 0.032, "{published} for {sum}");
    }
}

/// Counts what is asked of it, and forgets the rest.
#[derive(Default)]
struct Registrations(AtomicUsize);

impl metrics::Recorder for Registrations {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        self.0.fetch_add(1, Ordering::Relaxed);
        metrics::Counter::noop()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        self.0.fetch_add(1, Ordering::Relaxed);
        metrics::Gauge::noop()
    }

    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        self.0.fetch_add(1, Ordering::Relaxed);
        metrics::Histogram::noop()
    }
}

#[test]
fn handles_are_asked_for_once_and_anew_for_another_recorder() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    slo.count(5, 0);
    // Before any recorder is installed: what is published now must not be lost.
    plimsoll.publish();
    let recorder = Registrations::default();
    let asked = || {
        metrics::with_local_recorder(&recorder, || plimsoll.publish());
        recorder.0.load(Ordering::Relaxed)
    };
    let first = asked();
    assert!(first > 40);
    assert_eq!(asked(), first);
    plimsoll.declare(Slo::new("second").success(99.0)).unwrap();
    let second = asked();
    assert!(second > first);
    assert_eq!(asked(), second);
    let exporter = plimsoll.prometheus_builder().build_recorder();
    metrics::with_local_recorder(&exporter, || plimsoll.publish());
    let read = Exposition::read(&exporter.handle().render());
    assert_eq!(read.value(COUNT, &[("slo", "checkout")]), 5.0);
}

#[test]
fn the_users_own_metrics_come_first_and_nothing_comes_twice() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    let exporter = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&exporter, || {
        metrics::describe_counter!("shop_carts_total", "Carts.");
        metrics::counter!("shop_carts_total").increment(3);
        plimsoll.publish();
    });
    slo.count(7, 0);
    let text = plimsoll.render(&exporter.handle());
    promtool(&text);
    let read = Exposition::read(&text);
    assert_eq!(read.value("shop_carts_total", &[]), 3.0);
    assert_eq!(read.value(COUNT, &[("slo", "checkout")]), 7.0, "rendered now, not when it was published");
    assert!(text.find("shop_carts_total") < text.find("plimsoll_"));
}

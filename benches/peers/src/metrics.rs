//! What records: one duration a call, as its own documentation says it is done.

use crate::row::Row;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const GROUP: &str = "What users record with (of the calls, the clock is read only where it says so)";
pub const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub fn otel() -> opentelemetry::metrics::Histogram<f64> {
    let reader = opentelemetry_sdk::metrics::ManualReader::builder().build();
    let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(reader).build();
    let histogram = provider.meter("peers").f64_histogram("http.server.request.duration").build();
    std::mem::forget(provider); // it lives as long as the process, as in a service
    histogram
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new(GROUP, "metrics + exporter, `histogram!` with two labels", |_| {
            || metrics::histogram!("peers_macro_seconds", "method" => "GET", "status" => "200").record(black_box(0.012))
        }),
        Row::new(GROUP, "metrics + exporter, handle kept", |_| {
            let handle = metrics::histogram!("peers_kept_seconds", "method" => "GET", "status" => "200");
            move || handle.record(black_box(0.012))
        }),
    ];
    let histogram = prometheus_client::metrics::histogram::Histogram::new(BUCKETS);
    rows.push(Row::new(GROUP, "prometheus-client, handle kept", move |_| {
        let histogram = histogram.clone();
        move || histogram.observe(black_box(0.012))
    }));
    let options = prometheus::HistogramOpts::new("peers_tikv_seconds", "help").buckets(BUCKETS.to_vec());
    let vec = prometheus::HistogramVec::new(options, &["method", "status"]).expect("options that work");
    let histogram = vec.with_label_values(&["GET", "200"]);
    let counted = histogram.clone();
    rows.push(
        Row::new(GROUP, "prometheus (tikv), handle kept", move |_| {
            let histogram = histogram.clone();
            move || histogram.observe(black_box(0.012))
        })
        .counts(move || counted.get_sample_count()),
    );
    let histogram = Arc::new(otel());
    rows.push(Row::new(GROUP, "opentelemetry, two attributes", move |_| {
        let histogram = Arc::clone(&histogram);
        move || histogram.record(black_box(0.012), &[KeyValue::new("method", "GET"), KeyValue::new("status", 200)])
    }));
    let options = prometheus::HistogramOpts::new("peers_timed_seconds", "help").buckets(BUCKETS.to_vec());
    let histogram = prometheus::Histogram::with_opts(options).expect("options that work");
    rows.push(Row::new(GROUP, "prometheus (tikv), and two `Instant::now()`", move |_| {
        let histogram = histogram.clone();
        move || {
            let begun = Instant::now();
            histogram.observe(black_box(begun).elapsed().as_secs_f64());
        }
    }));
    rows
}

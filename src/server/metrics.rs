//! Prometheus metrics: counts and durations by route and state, never by store or report.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::jobs::Jobs;

pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    triggers: Family<OutcomeLabel, Counter>,
}

impl Metrics {
    pub fn new(jobs: Jobs) -> Self {
        let mut registry = Registry::with_prefix("uptally");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        // From a tenth of a millisecond to about seven minutes.
        let of_route = || Histogram::new(exponential_buckets(0.0001, 4.0, 12));
        let seconds: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(of_route);
        registry.register("http_request_seconds", "Time from request to response", seconds.clone());
        let triggers = Family::<OutcomeLabel, Counter>::default();
        registry.register("triggers", "Report triggers by outcome", triggers.clone());
        registry.register_collector(Box::new(States(jobs)));
        Self { registry: Mutex::new(registry), requests, seconds, triggers }
    }

    /// Counts a response, with the time since its request.
    pub fn answered(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        self.seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// Counts a trigger as `new`, `known` or `refused`.
    pub fn triggered(&self, outcome: &'static str) {
        self.triggers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// Gauge of reports by state, counted at each scrape.
struct States(Jobs);

impl std::fmt::Debug for States {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("States")
    }
}

impl Collector for States {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(0i64);
        let kind = gauge.metric_type();
        let mut states = encoder.encode_descriptor("reports", "Reports by state", None, kind)?;
        for (state, count) in self.0.counts() {
            let labels = [("state", state)];
            ConstGauge::new(count).encode(states.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

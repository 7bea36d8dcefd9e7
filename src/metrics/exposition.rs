//! Renders the series of one scrape.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};
use std::fmt;
use std::sync::atomic::AtomicU64;

/// The labels of one series, each with its value.
pub type LabelSet = Vec<(&'static str, String)>;

/// A gauge whose value need not be an integer.
type FloatGauge = Gauge<f64, AtomicU64>;

/// The text format of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The series of one scrape.
///
/// The name of a counter is given without `_total`, which both formats add.
#[derive(Default)]
pub struct Exposition(Registry);

impl Exposition {
    /// Adds a metric that exists beyond the scrape.
    pub fn metric(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    /// Adds a gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(LabelSet::new(), value)]);
    }

    /// Adds a gauge of one series for each set of labels.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (LabelSet, f64)>,
    ) {
        let family = Family::<LabelSet, FloatGauge>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    /// Adds a counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(LabelSet::new(), value)]);
    }

    /// Adds a counter of one series for each set of labels.
    pub fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (LabelSet, u64)>,
    ) {
        let family = Family::<LabelSet, Counter>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    /// Returns the text of all series.
    ///
    /// # Errors
    /// Fails only if a value cannot be formatted, which no value of these types causes.
    pub fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match format {
            Format::Prometheus => prometheus_text::encode(&mut out, &self.0)?,
            Format::OpenMetrics => text::encode(&mut out, &self.0)?,
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both formats contain each kind of series. Only OpenMetrics marks its end.
    #[test]
    fn both_formats_are_written() {
        let mut exposition = Exposition::default();
        exposition.gauge("quorate_ready", "Whether this node serves", 1.0);
        let labels = vec![("member", "a\"b".to_owned())];
        exposition.counters("quorate_lost", "Lost messages", [(labels, 7)]);
        let prometheus = exposition.text(Format::Prometheus).expect("text");
        assert!(prometheus.contains("# TYPE quorate_ready gauge\nquorate_ready 1.0\n"));
        assert!(prometheus.contains("# TYPE quorate_lost_total counter\n"));
        assert!(prometheus.contains("quorate_lost_total{member=\"a\\\"b\"} 7\n"));
        assert!(!prometheus.contains("# EOF"));
        let open = exposition.text(Format::OpenMetrics).expect("text");
        assert!(open.contains("# TYPE quorate_lost counter\n"));
        assert!(open.ends_with("# EOF\n"));
    }
}

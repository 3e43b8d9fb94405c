//! Metrics as Prometheus reads them. Whoever has the numbers gives them; here they become text.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// What kind of number it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows; its name is written with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The numbers of one name.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    /// Its name, without `_total`.
    pub name: &'static str,
    /// What it says, with its unit.
    pub help: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its numbers, each with its labels.
    pub samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

#[derive(Debug)]
struct Given(Vec<Metric>);

impl Collector for Given {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for metric in &self.0 {
            let kind = match metric.kind {
                Kind::Counter => ConstCounter::new(0.0).metric_type(),
                Kind::Gauge => ConstGauge::new(0.0).metric_type(),
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for (labels, number) in &metric.samples {
                let sample = family.encode_family(labels)?;
                match metric.kind {
                    Kind::Counter => ConstCounter::new(*number).encode(sample)?,
                    Kind::Gauge => ConstGauge::new(*number).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

/// Writes metrics as text (`OpenMetrics`).
#[must_use]
pub fn text(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Given(metrics)));
    let mut out = String::new();
    // Writing into memory can't fail.
    text::encode(&mut out, &registry).unwrap_or_default();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_gauges_with_labels() {
        let metric = Metric {
            name: "weir_messages",
            help: "Messages by where they ended",
            kind: Kind::Counter,
            samples: vec![(vec![("outcome", "st\"ored".to_owned())], 3.0)],
        };
        let gauge = Metric { name: "weir_lag", kind: Kind::Gauge, ..metric.clone() };
        let text = text(vec![metric, gauge]);
        assert!(text.contains("# TYPE weir_messages counter"), "{text}");
        assert!(text.contains("weir_messages_total{outcome=\"st\\\"ored\"} 3"), "{text}");
        assert!(text.contains("weir_lag{outcome="), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}

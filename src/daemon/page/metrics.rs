//! The metrics: what weir counts of itself, and what the journal says.

use std::sync::atomic::Ordering;

use crate::daemon::deliver::SINK;
use crate::daemon::page::{Observer, alert_view};
use crate::daemon::status::{Broker, Status};
use crate::domain::alert::Route;
use crate::domain::ledger::{Counts, Ledger};
use crate::http::metrics::{self, Kind, Metric};
use crate::journal::Error;
use crate::journal::read::Reader;
use crate::mqtt::outbox::Replied;

impl Observer {
    /// Gives the metrics as text.
    #[must_use]
    pub fn metrics(&self) -> String {
        let reader = self.reader();
        let mut given = broker_metrics(&self.status);
        given.extend(own_metrics(&self.status));
        match journal_metrics(&reader) {
            Ok(more) => given.extend(more),
            Err(error) => tracing::warn!(%error, "Metrics lack what the journal says."),
        }
        metrics::text(given)
    }
}

fn metric(name: &'static str, help: &'static str, kind: Kind, number: f64) -> Metric {
    Metric { name, help, kind, samples: vec![(Vec::new(), number)] }
}

fn replies(broker: &Broker) -> [(Vec<(&'static str, String)>, f64); 3] {
    let Replied { sent, expired, dropped } = broker.replies.replied();
    [("sent", sent), ("expired", expired), ("dropped", dropped)].map(|(outcome, count)| {
        let labels = vec![("network", broker.network.clone()), ("outcome", outcome.to_owned())];
        (labels, count as f64)
    })
}

fn broker_metrics(status: &Status) -> Vec<Metric> {
    let connected = status.brokers().into_iter().map(|broker| {
        let up = if broker.fault.is_none() { 1.0 } else { 0.0 };
        (vec![("network", broker.network)], up)
    });
    let refused = status
        .brokers()
        .into_iter()
        .map(|broker| (vec![("network", broker.network)], broker.refused.len() as f64));
    let dropped = status
        .brokers()
        .into_iter()
        .filter_map(|broker| Some((vec![("network", broker.network)], broker.dropped? as f64)));
    vec![
        Metric {
            name: "weir_broker_connected",
            help: "1 while the session with the broker is up",
            kind: Kind::Gauge,
            samples: connected.collect(),
        },
        Metric {
            name: "weir_broker_refused_filters",
            help: "Filters that the broker refuses: what fits them does not come",
            kind: Kind::Gauge,
            samples: refused.collect(),
        },
        Metric {
            name: "weir_broker_dropped_messages",
            help: "Messages that the broker says it dropped since it began, of all its clients",
            kind: Kind::Gauge,
            samples: dropped.collect(),
        },
        Metric {
            name: "weir_replies",
            help: "Replies to devices since the start, by what became of them",
            kind: Kind::Counter,
            samples: status.brokers().iter().flat_map(replies).collect(),
        },
    ]
}

fn own_metrics(status: &Status) -> Vec<Metric> {
    let number = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed) as f64;
    let full = if status.full.load().is_some() { 1.0 } else { 0.0 };
    let told = |outcome: &str, count| (vec![("outcome", outcome.to_owned())], count);
    vec![
        metric(
            "weir_commits",
            "Transactions of the journal",
            Kind::Counter,
            number(&status.commits),
        ),
        metric(
            "weir_commit_seconds",
            "Time spent in transactions of the journal, s",
            Kind::Counter,
            number(&status.commit_micros) / 1e6,
        ),
        metric(
            "weir_journal_full",
            "1 while the journal takes nothing and nothing is acknowledged",
            Kind::Gauge,
            full,
        ),
        metric(
            "weir_journals_set_aside",
            "Damaged journals that were set aside and still lie in the data folder",
            Kind::Gauge,
            status.set_aside.load().len() as f64,
        ),
        metric(
            "weir_points_delivered",
            "Points that the database took since the start",
            Kind::Counter,
            number(&status.points_delivered),
        ),
        Metric {
            name: "weir_notifications",
            help: "Attempts to notify since the start, by outcome",
            kind: Kind::Counter,
            samples: vec![
                told("confirmed", number(&status.notifications_confirmed)),
                told("failed", number(&status.notifications_failed)),
            ],
        },
        Metric {
            name: "weir_heartbeats",
            help: "Beats of the dead man's switch since the start, by outcome",
            kind: Kind::Counter,
            samples: vec![
                told("taken", number(&status.beats_taken)),
                told("failed", number(&status.beats_failed)),
            ],
        },
    ]
}

/// Counts the alerts that fire, by route.
fn alert_metric(reader: &Reader) -> Result<Metric, Error> {
    let open = reader.open_alerts()?;
    let routes: Vec<String> = open.iter().map(|alert| alert_view(&alert.json).route).collect();
    let counted = Route::ALL.map(|route| {
        let count = routes.iter().filter(|one| *one == route.word()).count();
        (vec![("route", route.word().to_owned())], count as f64)
    });
    Ok(Metric {
        name: "weir_alerts_firing",
        help: "Alerts that fire, by whom they call",
        kind: Kind::Gauge,
        samples: counted.to_vec(),
    })
}

fn journal_metrics(reader: &Reader) -> Result<Vec<Metric>, Error> {
    let Ledger { messages, readings, unprotected, .. } = reader.ledger()?.total();
    // A counter never falls: who was rejected once stays counted, if it ended well later too.
    let [messages_left, readings_left] = reader.left_rejected()?;
    let outcomes = |counts: Counts, left: i64| {
        let Counts { received, stored, rejected, duplicate } = counts;
        let named = [
            ("received", received),
            ("stored", stored),
            ("rejected", rejected + left),
            ("duplicate", duplicate),
        ];
        named.map(|(name, count)| (vec![("outcome", name.to_owned())], count as f64)).to_vec()
    };
    let cursor = reader.cursor(SINK)?;
    let letters = reader.dead_letter_counts()?.into_iter().map(|count| {
        let labels =
            vec![("device", count.device), ("channel", count.channel), ("reason", count.code)];
        (labels, count.total as f64)
    });
    Ok(vec![
        Metric {
            name: "weir_messages",
            help: "Messages since the journal was made, by where they ended",
            kind: Kind::Counter,
            samples: outcomes(messages, messages_left),
        },
        Metric {
            name: "weir_readings",
            help: "Readings since the journal was made, by where they ended",
            kind: Kind::Counter,
            samples: outcomes(readings, readings_left),
        },
        metric(
            "weir_messages_unprotected",
            "Messages that came at QoS 0",
            Kind::Counter,
            unprotected as f64,
        ),
        metric(
            "weir_points_waiting",
            "Points in the journal that the database does not have yet",
            Kind::Gauge,
            cursor.map_or(0.0, |cursor| cursor.waiting as f64),
        ),
        metric(
            "weir_points_refused",
            "Points and fields that the database refused for good",
            Kind::Counter,
            cursor.map_or(0.0, |cursor| cursor.refused as f64),
        ),
        metric(
            "weir_points_damaged",
            "Points that were found damaged in the journal and set aside there",
            Kind::Counter,
            reader.set_aside()?.points as f64,
        ),
        Metric {
            name: "weir_dead_letters",
            help: "Dead letters by device, channel and reason, the hundred largest",
            kind: Kind::Gauge,
            samples: letters.take(100).collect(),
        },
        alert_metric(reader)?,
        metric(
            "weir_journal_bytes",
            "Size of the journal, bytes",
            Kind::Gauge,
            reader.bytes()? as f64,
        ),
    ])
}

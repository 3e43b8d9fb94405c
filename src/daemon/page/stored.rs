//! Values as they are kept, for pages and programs alike: out of the database, or out of the
//! embedded store where there is none.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::daemon::page::settings::host;
use crate::domain::observation::{NilReason, ObservationResult, Period, Side};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::Timestamp;
use crate::http::series::Point;
use crate::influx;
use crate::influx::line;
use crate::influx::series::{Keep, Stored};
use crate::journal::read::Reader;
use crate::journal::store::StoredObservation;

/// Where older values are.
#[derive(Clone, Debug)]
pub(super) enum Store {
    /// In the journal of this folder.
    Embedded(PathBuf),
    /// In a database.
    Database(Box<influx::Config>),
}

/// Why values can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Lack {
    /// The journal can't be.
    Journal(String),
    /// The database can't be asked.
    Database(String),
}

/// A value as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    /// Its number, and what stands beside it.
    pub(super) point: Point,
    /// Why there is none, where that is kept.
    pub(super) nil: Option<NilReason>,
    /// What its device marked it with.
    pub(super) mark: Option<Box<str>>,
}

/// What is kept of a time.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Rows {
    /// The values, in order of time.
    pub(super) rows: Vec<Row>,
    /// The time of the nearest one that was left out, where there are more than were wanted.
    pub(super) cut: Option<Timestamp>,
}

impl Store {
    pub(super) fn of(config: &Config) -> Self {
        match &config.influx {
            Some(influx) => Self::Database(Box::new(influx.clone())),
            None => Self::Embedded(config.journal.data_folder.clone()),
        }
    }

    /// Reads values of a time; the database has so long to answer.
    pub(super) async fn read(
        &self,
        registry: &Registry,
        (stream, period): (&Datastream, Period),
        span: (Timestamp, Timestamp),
        (keep, answer_max): (Keep, Duration),
    ) -> Result<Rows, Lack> {
        match self {
            Self::Embedded(folder) => {
                let (folder, of) = (folder.clone(), (stream.id, period));
                let read = move || {
                    let reader = Reader::open(&folder)?;
                    match keep {
                        Keep::First(_) => {
                            let most = u32::try_from(keep.asked()).unwrap_or(u32::MAX);
                            reader.first_observations(of, span, most)
                        }
                        Keep::Newest(_) => {
                            reader.newest_observations(of.0, of.1, span, keep.asked())
                        }
                    }
                };
                let lack = |error: &dyn std::fmt::Display| Lack::Journal(error.to_string());
                let found =
                    tokio::task::spawn_blocking(read).await.map_err(|error| lack(&error))?;
                let mut found = found.map_err(|error| lack(&error))?;
                let cut = keep.cut(&mut found).map(|one| one.time);
                let rows = found.iter().map(|one| of_store(registry, one));
                Ok(Rows { rows: rows.collect(), cut })
            }
            Self::Database(config) => {
                let place = line::place(registry, stream, period);
                let read = influx::series::read(config, &place, span, keep);
                let found = answer(config, answer_max, read).await?;
                let rows = found.values.into_iter().map(of_database).collect();
                Ok(Rows { rows, cut: found.cut })
            }
        }
    }
}

/// Waits for what the database answers, and not longer than it may take.
pub(super) async fn answer<T>(
    config: &influx::Config,
    answer_max: Duration,
    asked: impl Future<Output = Result<T, influx::Error>>,
) -> Result<T, Lack> {
    match timeout(answer_max, asked).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            // The path of its address may hold a key, and everybody may look here.
            let words = error.to_string().replace(&config.shown_url(), &host(&config.url));
            Err(Lack::Database(words))
        }
        Err(_) => Err(Lack::Database(format!("no answer in {} s", answer_max.as_secs()))),
    }
}

fn of_store(registry: &Registry, stored: &StoredObservation) -> Row {
    let (value, censored) = number(stored.result);
    let mark = stored.mark.and_then(|mark| registry.marks.get(mark));
    Row {
        point: Point {
            at: stored.time,
            until: stored.time,
            value,
            censored,
            raw: stored.raw,
            flag: stored.flag.number(),
            revision: stored.revision,
            span: None,
        },
        nil: match stored.result {
            ObservationResult::Nil(reason) => Some(reason),
            ObservationResult::Value(_) | ObservationResult::Censored { .. } => None,
        },
        mark: mark.map(|mark| Box::from(&*mark.text)),
    }
}

fn of_database(stored: Stored) -> Row {
    let Stored { at, value, censored, raw, flag, revision, span, mark } = stored;
    Row {
        point: Point { at, until: at, value, censored, raw, flag, revision, span },
        nil: None,
        mark,
    }
}

/// Gives the number of a result, and on which side of it the value lies where it is a bound.
pub(super) fn number(result: ObservationResult) -> (Option<f64>, &'static str) {
    let censored = match result {
        ObservationResult::Censored { side: Side::Below, .. } => "<",
        ObservationResult::Censored { side: Side::Above, .. } => ">",
        ObservationResult::Value(_) | ObservationResult::Nil(_) => "",
    };
    (result.number(), censored)
}

//! Says each morning how things stand. The message of a day is written once, whatever is started
//! when: its id holds the day.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::time::sleep;

use crate::daemon::outlet::Outlet;
use crate::domain::time::{HOUR, Timestamp};
use crate::journal::batch::{Batch, NotificationRow};
use crate::journal::read::Reader;
use crate::notify::morning::{Config, Standing, morning};

/// How often it looks at the clock: the wall may be set.
const LOOK: Duration = Duration::from_secs(20);
/// Who said something since then speaks.
const SPEAKS_MS: i64 = HOUR;

/// What the task works with.
#[derive(Debug)]
pub struct Caller {
    /// When and by which channels.
    pub config: Config,
    /// The zone of weir's own times.
    pub zone: TimeZone,
    /// Its ways.
    pub outlet: Outlet,
}

impl Caller {
    /// Says it each morning until weir stops.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let reader = Reader::open(&self.outlet.data_folder)?;
        let mut next = self.config.next(self.outlet.clock.now().wall, &self.zone);
        while let Some((due, day)) = next {
            let now = self.outlet.clock.now().wall;
            if now < due {
                let look = self.real(due.since(now)).min(LOOK);
                tokio::select! {
                    stopped = self.outlet.stop.wait_for(|stop| *stop) => {
                        stopped?;
                        return Ok(());
                    }
                    () = sleep(look) => continue,
                }
            }
            let standing = self.standing(&reader, now)?;
            let (id, body) = morning(standing, day, now, &self.zone);
            let channels = self.config.channels.iter().map(|name| name.as_str().into()).collect();
            let (body, alerts) = (body.to_string(), Vec::new());
            let said = vec![NotificationRow { id, channels, body, alerts }];
            if !self.outlet.commit(Batch { at: now, said, ..Batch::default() }).await {
                return Ok(());
            }
            next = self.config.next(now, &self.zone);
        }
        Ok(())
    }

    /// Gives how long so many milliseconds of weir's clock last, and some more.
    fn real(&self, millis: i64) -> Duration {
        let seconds = millis as f64 / 1e3 / self.outlet.clock.speed();
        Duration::try_from_secs_f64(seconds + 0.01).unwrap_or(LOOK)
    }

    fn standing(&self, reader: &Reader, now: Timestamp) -> anyhow::Result<Standing> {
        let view = self.outlet.status.view.load();
        let mut standing = Standing::default();
        for held in reader.open_alerts()? {
            let body: Value = serde_json::from_str(&held.json).unwrap_or_default();
            standing.alerts.extend(body.pointer("/alerts/0").cloned());
            let desk = view.as_ref().map(|view| &view.desk);
            let of = desk.and_then(|desk| desk.standing().find(|(id, _)| id.0 == held.alert));
            let heeded = of.is_some_and(|(_, one)| one.acknowledged.is_some());
            standing.unheeded += usize::from(!heeded);
        }
        let rank = |alert: &Value| match alert.pointer("/annotations/severity") {
            Some(word) if word == "critical" => 0,
            Some(word) if word == "warning" => 1,
            _ => 2,
        };
        standing.alerts.sort_by_key(rank);
        let Some(view) = view.as_ref() else { return Ok(standing) };
        let served = view.registry.stations.iter().filter(|one| one.validity.holds(now));
        for station in served.filter(|station| !station.datastreams.is_empty()) {
            standing.stations += 1;
            let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
            let last = state.map(|state| state.streams.iter().map(|one| one.received).max());
            let speaks = last.flatten().is_some_and(|last| now.since(last) <= SPEAKS_MS);
            standing.speaking += usize::from(speaks);
        }
        Ok(standing)
    }
}

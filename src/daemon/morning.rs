//! Says each morning how things stand. The message of a day is written once, whatever is started
//! when: its id holds the day. One that nobody could say at its time, because weir was down or the
//! clock was set over it, is said late, the same morning.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::time::sleep;

use crate::daemon::outlet::Outlet;
use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::journal::batch::{Batch, NotificationRow};
use crate::journal::read::Reader;
use crate::notify::morning::{Config, LATE_MAX_MS, ON_TIME_MS, Standing, id, morning};

/// How often it looks at the clock: the wall may be set.
const LOOK: Duration = Duration::from_secs(20);
/// Who said something since then speaks.
const SPEAKS_MS: i64 = HOUR;
/// How long after a start a late message waits: who is connected again says first what came
/// meanwhile.
const SETTLES_MS: i64 = 2 * MINUTE;

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
        let (begun_ms, mut said) = (self.outlet.clock.now().elapsed_ms, None);
        loop {
            let now = self.outlet.clock.now();
            let settled_ms = now.elapsed_ms - begun_ms;
            let owed = self.owed(&reader, now.wall)?;
            let wait_ms = match owed.filter(|(_, day)| said != Some(*day)) {
                Some(of) if now.wall.since(of.0) <= ON_TIME_MS || settled_ms >= SETTLES_MS => {
                    if !self.say(&reader, of, now.wall).await? {
                        return Ok(());
                    }
                    said = Some(of.1);
                    continue;
                }
                Some(_) => SETTLES_MS - settled_ms,
                None => match self.config.next(now.wall, &self.zone) {
                    Some((due, _)) => due.since(now.wall),
                    None => return Ok(()),
                },
            };
            let look = self.real(wait_ms).min(LOOK);
            tokio::select! {
                stopped = self.outlet.stop.wait_for(|stop| *stop) => {
                    stopped?;
                    return Ok(());
                }
                () = sleep(look) => {}
            }
        }
    }

    /// Gives the message that should have been said and was not, if it is not too late for it: when
    /// it was due, and of which day it is. Nobody owes one of before the journal was made.
    fn owed(&self, reader: &Reader, now: Timestamp) -> anyhow::Result<Option<(Timestamp, Date)>> {
        let Some((due, day)) = self.config.last(now, &self.zone) else { return Ok(None) };
        if now.since(due) > LATE_MAX_MS || reader.is_written(&id(day))? {
            return Ok(None);
        }
        Ok((reader.made_at()? <= due).then_some((due, day)))
    }

    /// Writes a message; says whether there is still somebody to take it.
    async fn say(
        &self,
        reader: &Reader,
        of: (Timestamp, Date),
        now: Timestamp,
    ) -> anyhow::Result<bool> {
        let (id, body) = morning(self.standing(reader, now)?, of, now, &self.zone);
        let channels = self.config.channels.iter().map(|name| name.as_str().into()).collect();
        let (body, alerts) = (body.to_string(), Vec::new());
        let said = vec![NotificationRow { id, channels, body, alerts }];
        Ok(self.outlet.commit(Batch { at: now, said, ..Batch::default() }).await)
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

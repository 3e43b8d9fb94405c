//! `weir qc days`: which share of the values of a day passed, and which tests flagged the others.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::daemon::explain::station;
use crate::daemon::status::{Status, View};
use crate::domain::observation::Period;
use crate::domain::quality::Flagged;
use crate::domain::registry::Station;
use crate::domain::time::{HOUR, Timestamp};
use crate::pipeline::state::StreamState;

/// Which station is asked about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The station.
    pub station: String,
    /// Whether JSON is wanted.
    pub json: bool,
}

/// What is known of one datastream and day.
struct Day<'a> {
    name: &'a str,
    date: String,
    values: u32,
    flagged: Flagged,
}

/// Answers out of the state of a daemon at work.
///
/// # Errors
/// There is no such station, or no state yet.
pub fn at_work(status: &Status, asked: &Asked) -> Result<Vec<String>, Vec<String>> {
    let view = status.view.load_full();
    let view = view.ok_or_else(|| vec!["weir has only just begun; ask again soon".to_owned()])?;
    let station = station(&view.registry, &asked.station).map_err(|words| vec![words])?;
    let days = days(&view, station);
    if asked.json {
        return Ok(vec![Value::from_iter(days.iter().map(Day::json)).to_string()]);
    }
    if days.is_empty() {
        return Ok(vec!["nothing came of it yesterday and today".to_owned()]);
    }
    Ok(days.iter().map(Day::line).collect())
}

/// Gives yesterday and today of each datastream that has values in them.
fn days<'v>(view: &'v View, station: &'v Station) -> Vec<Day<'v>> {
    let Some(today) = Period::Day.around(view.at.wall, &station.zone) else { return Vec::new() };
    let Some(yesterday) = Period::Day.around(today.0.plus(-HOUR), &station.zone) else {
        return Vec::new();
    };
    let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
    let mut days = Vec::new();
    for id in &station.datastreams {
        let Some(datastream) = view.registry.datastream(*id) else { continue };
        let stream = state.and_then(|state| state.streams.get(usize::from(datastream.slot)));
        let Some(stream) = stream else { continue };
        for (start, end) in [yesterday, today] {
            let values = values(stream, (start, end));
            let date = start.rfc3339(&station.zone).chars().take(10).collect();
            let flagged = stream.tally.of(start);
            if values > 0 {
                days.push(Day { name: &datastream.name, date, values, flagged });
            }
        }
    }
    days
}

/// Gives how many values came of a day. Of one that is given out that is remembered for longer than
/// the values themselves.
fn values(stream: &StreamState, (start, end): (Timestamp, Timestamp)) -> u32 {
    let held = u32::try_from(stream.history.between(start, end).len()).unwrap_or(u32::MAX);
    let told = stream.days.at(start).map_or(0, |day| day.received);
    held.max(told)
}

impl Day<'_> {
    fn passed(&self) -> u32 {
        let Flagged { suspect, failed, missing, .. } = self.flagged;
        self.values.saturating_sub(suspect).saturating_sub(failed).saturating_sub(missing)
    }

    fn line(&self) -> String {
        let share =
            |count: u32| format!("{:.1} %", f64::from(count) * 100.0 / f64::from(self.values));
        let Flagged { suspect, failed, missing, .. } = self.flagged;
        let tests = self.flagged.tests().filter(|(_, count)| *count > 0);
        let tests: Vec<String> =
            tests.map(|(test, count)| format!("{} {count}", test.name())).collect();
        let by = if tests.is_empty() { String::new() } else { format!("; {}", tests.join(", ")) };
        format!(
            "{} {}: {} values, {} passed, {} suspect, {} failed, {} missing{by}",
            self.date,
            self.name,
            self.values,
            share(self.passed()),
            share(suspect),
            share(failed),
            share(missing),
        )
    }

    fn json(&self) -> Value {
        let Flagged { suspect, failed, missing, .. } = self.flagged;
        let tests: Map<String, Value> = self
            .flagged
            .tests()
            .map(|(test, count)| (test.name().to_owned(), Value::from(count)))
            .collect();
        json!({
            "datastream": self.name,
            "day": self.date,
            "values": self.values,
            "passed": self.passed(),
            "suspect": suspect,
            "failed": failed,
            "missing": missing,
            "flagged": tests,
        })
    }
}

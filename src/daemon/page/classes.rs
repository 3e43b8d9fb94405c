//! The classes of past days where nothing keeps them: made again of the means of days that are
//! kept, by the functions that made them then. The embedded store and VictoriaMetrics keep numbers
//! alone.

use std::collections::BTreeMap;

use tokio::time::timeout;

use crate::daemon::page::series::ANSWER_MAX;
use crate::daemon::page::station::STRIP_DAYS;
use crate::daemon::page::stored::{Lack, Row, Store};
use crate::daemon::status::View;
use crate::domain::evaluation::{Index, Item};
use crate::domain::name::PropertyId;
use crate::domain::observation::Period;
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Station};
use crate::domain::time::{DAY, PhenomenonTime, Timestamp};
use crate::influx::line;
use crate::influx::series::{Keep, Told};
use crate::pipeline::indices::{Indices, of_average, speaking, wanted};

/// How many days of a datastream are read at most: one more than are shown.
const DAYS_READ_MAX: usize = STRIP_DAYS as usize + 1;

/// Gives what the last days of a station came to by an index, in order of time, by the edition in
/// force.
pub(super) async fn classes(
    view: &View,
    store: &Store,
    station: &Station,
    index: Index,
) -> Result<Vec<Told>, Lack> {
    match timeout(ANSWER_MAX, made(view, store, station, index)).await {
        Ok(made) => made,
        Err(_) => Err(Lack::Database(format!("no answer in {} s", ANSWER_MAX.as_secs()))),
    }
}

async fn made(
    view: &View,
    store: &Store,
    station: &Station,
    index: Index,
) -> Result<Vec<Told>, Lack> {
    let (registry, now) = (&*view.registry, view.at.wall);
    let span = (now.plus(-STRIP_DAYS * DAY), now);
    let streams = speaking(registry, station, &wanted(registry));
    let measured: Vec<PropertyId> = streams.iter().map(|(property, _)| *property).collect();
    let mut days: BTreeMap<Timestamp, Vec<Item>> = BTreeMap::new();
    for (property, stream) in streams {
        for period in [Period::Day, Period::DayMaxEightHours] {
            if !line::periods(stream).any(|one| one == period) {
                continue;
            }
            let how = (Keep::Newest(DAYS_READ_MAX), ANSWER_MAX);
            let found = store.read(registry, (stream, period), span, how).await?;
            for row in found.rows.iter().filter(|row| speaks(stream, period, row.point.at)) {
                let items = days.entry(row.point.at).or_default();
                items.extend(item(registry, property, row));
            }
        }
    }
    let indices = Indices::of(registry, station, &measured);
    let told = days.into_iter().filter_map(|(at, items)| {
        let (start, end) = Period::Day.around(at, &station.zone)?;
        let span = PhenomenonTime::Interval { start, end };
        let all = indices.evaluate(registry, station, Period::Day, span, &items);
        let one = all.into_iter().find(|one| one.index == index && one.items > 0)?;
        Some(Told {
            at: start,
            class: one.grade.map_or("", |grade| grade.word()).to_owned(),
            reason: one.reason.map_or("", |reason| reason.word()).to_owned(),
        })
    });
    Ok(told.collect())
}

/// Says whether an average of a period is an item of its day: of ozone the largest mean of eight
/// hours is, where the seeds say so.
fn speaks(stream: &Datastream, period: Period, start: Timestamp) -> bool {
    let largest = stream.average(Period::DayMaxEightHours, start).is_some();
    largest == (period == Period::DayMaxEightHours)
}

/// Gives an average as an item, if it did not fail.
fn item(registry: &Registry, property: PropertyId, row: &Row) -> Option<Item> {
    let is = |flag: Flag| row.point.flag == flag.number();
    let value = row.point.value.filter(|_| !is(Flag::Fail) && !is(Flag::Missing));
    of_average(registry, property, (value, is(Flag::Suspect)))
}

//! What makes an average valid.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::name::{PropertyId, StationId};
use crate::domain::observation::Period;
use crate::domain::registry::{
    Average, Combine, Datastream, HourMean, Members, Registry, Sampling, Statistic,
};
use crate::domain::time::{DAY, HOUR, MINUTE, Validity};
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{AVERAGES, Cells, Sheets};

/// In what the members are counted that an average needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    /// Values of so many minutes of the hour.
    Minutes,
    /// This share of those expected.
    Share,
    /// Hours.
    Hours,
    /// Running means of eight hours.
    Windows,
    /// Natural days.
    Days,
    /// Calendar months.
    Months,
}

/// One row, for all datastreams of its medium or property.
#[derive(Debug)]
struct Row {
    medium: Box<str>,
    property: Option<PropertyId>,
    sampled: bool,
    period: Period,
    needs: f64,
    needs_february: Option<f64>,
    of: Of,
    clause: Box<str>,
    in_force: Validity,
}

/// Reads `averages.csv` and says which averages every datastream gets. A mean that a device states
/// is never averaged again below its period, and weir makes no hour where the device's is official.
pub(super) fn averages(sheets: &Sheets, draft: &mut Draft) {
    let rows = rows(sheets, draft);
    let stated: HashSet<_> = draft
        .registry
        .datastreams
        .iter()
        .filter(|stream| states_hour(stream) && stream.official)
        .map(key)
        .collect();
    let bounded: HashSet<_> = draft
        .registry
        .datastreams
        .iter()
        .filter(|stream| matches!(stream.statistic, Statistic::Min | Statistic::Max))
        .filter(|stream| stream.period_ms == Some(HOUR))
        .map(key)
        .collect();
    let ids: Vec<_> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastream(id) else { continue };
        let hour_of_its_own = is_continuous(stream) && !stated.contains(&key(stream));
        let official = stream.official && (hour_of_its_own || !is_continuous(stream));
        let metered = draft.registry.energy.counters.contains_key(&id);
        let hour = (hour_of_its_own || metered)
            .then(|| of_hour(&draft.registry, &rows, stream, metered))
            .flatten();
        let bounded = bounded.contains(&key(stream));
        let hour = hour.map(|hour| HourMean { extremes: hour.extremes && !bounded, ..hour });
        let has_hours = hour.is_some() || is_sampled(stream) || states_hour(stream);
        let longer = if official && has_hours {
            longer(&draft.registry, &rows, stream)
        } else {
            Arc::default()
        };
        let weight = flow_beside(&draft.registry, stream);
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.hour_mean = hour;
            stream.averages = longer;
            stream.official = official;
            stream.weight = weight;
        }
    }
}

fn rows(sheets: &Sheets, draft: &mut Draft) -> Vec<Row> {
    let sheet = sheets.get(&AVERAGES);
    let mut rows: Vec<Row> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let medium = cells.required("medium");
        let mut properties = draft.registry.properties.iter();
        if draft.properties.whole && !properties.any(|property| *property.medium == *medium) {
            cells.refuse("medium", "a medium of properties.csv");
        }
        let property = match cells.text("property") {
            "" => None,
            _ => cells.find("property", &draft.properties),
        };
        let sampled = cells.word("sampling", ("continuous", false), &[("sampled", true)]);
        let words = Period::AVERAGED.map(|period| (period.word(), period));
        let [first, rest @ ..] = words;
        let period = cells.word("period", first, &rest);
        cells.required("clause");
        cells.required("source");
        let in_force = cells.validity(&china());
        let of = of(&mut cells, period);
        let needs = needs(&mut cells, "needs", of, period);
        let needs_february = match cells.text("needs_february") {
            "" => None,
            _ if period != Period::Month => {
                cells.refuse("needs_february", "nothing for what is no month");
                None
            }
            _ => Some(self::needs(&mut cells, "needs_february", of, period)),
        };
        let rival = rows.iter().any(|held| {
            (&*held.medium, held.property, held.sampled, held.period)
                == (medium, property, sampled, period)
                && held.in_force.overlaps(&in_force)
        });
        if rival {
            cells.refuse("period", "one row of a medium, property, sampling and period at a time");
        }
        let (medium, clause) = (medium.into(), cells.text("clause").into());
        let held =
            Row { medium, property, sampled, period, needs, needs_february, of, clause, in_force };
        rows.push(held);
    }
    rows
}

fn of(cells: &mut Cells<'_>, period: Period) -> Of {
    match period {
        Period::Native | Period::Hour => {
            cells.word("of", ("minutes", Of::Minutes), &[("share", Of::Share)])
        }
        Period::EightHours => cells.word("of", ("hours", Of::Hours), &[]),
        Period::Day => cells.word("of", ("hours", Of::Hours), &[("share", Of::Share)]),
        Period::DayMaxEightHours => cells.word("of", ("windows", Of::Windows), &[]),
        Period::Month => cells.word("of", ("days", Of::Days), &[]),
        Period::Quarter | Period::Year => {
            cells.word("of", ("days", Of::Days), &[("months", Of::Months)])
        }
    }
}

fn needs(cells: &mut Cells<'_>, column: &str, of: Of, period: Period) -> f64 {
    let needs = cells.number(column);
    let most = match (of, period) {
        (Of::Minutes, _) => 60.0,
        (Of::Share, _) => 1.0,
        (Of::Hours, Period::EightHours) => 8.0,
        (Of::Hours, _) => 24.0,
        (Of::Windows, _) => 17.0,
        (Of::Days, Period::Month) => 31.0,
        (Of::Days, Period::Quarter) => 92.0,
        (Of::Days, _) => 366.0,
        (Of::Months, Period::Quarter) => 3.0,
        (Of::Months, _) => 12.0,
    };
    if needs <= 0.0 || needs > most {
        cells.refuse(column, format_args!("more than 0 and at most {most}"));
    } else if of != Of::Share && of != Of::Minutes && needs.fract() != 0.0 {
        cells.refuse(column, "a whole number");
    }
    needs
}

/// Gives the rows of a datastream and period: those of its property, or else of its medium.
fn rows_of<'a>(
    registry: &'a Registry,
    rows: &'a [Row],
    stream: &'a Datastream,
) -> impl Iterator<Item = &'a Row> {
    let property = registry.property(stream.property);
    let applies = move |row: &Row| {
        property.is_some_and(|property| *row.medium == *property.medium)
            && row.sampled == is_sampled(stream)
    };
    let own = move |row: &Row| row.property == Some(stream.property);
    rows.iter().filter(move |row| applies(row)).filter(move |row| {
        let narrower = || rows.iter().any(|other| own(other) && other.period == row.period);
        own(row) || (row.property.is_none() && !narrower())
    })
}

fn of_hour(
    registry: &Registry,
    rows: &[Row],
    stream: &Datastream,
    metered: bool,
) -> Option<HourMean> {
    let property = registry.property(stream.property)?;
    if property.combine == Combine::NoMean {
        return None;
    }
    let row = rows_of(registry, rows, stream).find(|row| row.period == Period::Hour)?;
    let share = if row.of == Of::Minutes { row.needs / 60.0 } else { row.needs };
    if metered {
        // What a meter counted is known by the minute.
        return Some(HourMean { extremes: false, ..hour_mean(share, MINUTE)? });
    }
    hour_mean(share, stream.expected_every_ms)
}

/// Counts values; nothing where less than one an hour is expected.
fn hour_mean(share: f64, expected_every_ms: i64) -> Option<HourMean> {
    let expected =
        u32::try_from(HOUR / expected_every_ms.max(1)).ok().filter(|count| *count > 0)?;
    Some(HourMean { needs: least(share, expected), expected, extremes: true })
}

/// Gives the least whole number that makes a share; a hair's breadth of it is rounding.
fn least(share: f64, expected: u32) -> u32 {
    let makes =
        |count: &u32| f64::from(*count) >= f64::from(expected) * share * (1.0 - f64::EPSILON * 4.0);
    (1..=expected).find(makes).unwrap_or(expected)
}

fn longer(registry: &Registry, rows: &[Row], stream: &Datastream) -> Arc<[Average]> {
    let property = registry.property(stream.property);
    if property.is_none_or(|property| property.combine == Combine::NoMean) {
        return Arc::default();
    }
    let own = rows_of(registry, rows, stream).filter(|row| row.period != Period::Hour);
    let mut averages: Vec<Average> = own.map(|row| average(row, stream)).collect();
    if property.is_some_and(|property| property.combine.is_total()) {
        // A total that lacks a part is no total.
        for average in &mut averages {
            average.needs = average.expected;
            average.needs_february = average.expected;
        }
    }
    averages.sort_by_key(|average| (average.period, average.in_force.from));
    averages.into()
}

fn average(row: &Row, stream: &Datastream) -> Average {
    let members = match row.of {
        Of::Minutes | Of::Share | Of::Hours => Members::Hours,
        Of::Windows => Members::EightHours,
        Of::Days => Members::Days,
        Of::Months => Members::Months,
    };
    let expected = match (row.period, stream.sampling) {
        (Period::Day, Sampling::Sampled { cycle_ms, .. }) => {
            u32::try_from(DAY / cycle_ms.max(1)).unwrap_or(u32::MAX).max(1)
        }
        (Period::EightHours, _) => 8,
        (Period::DayMaxEightHours, _) => 17,
        (Period::Quarter, _) if row.of == Of::Months => 3,
        (Period::Year, _) if row.of == Of::Months => 12,
        (_, _) => 24,
    };
    let whole = |needs: f64| {
        if row.of == Of::Share { least(needs, expected) } else { needs as u32 }
    };
    Average {
        period: row.period,
        members,
        needs: whole(row.needs),
        needs_february: whole(row.needs_february.unwrap_or(row.needs)),
        expected,
        clause: row.clause.clone(),
        in_force: row.in_force,
    }
}

/// Finds the flow by which the day means of an outfall are weighted.
fn flow_beside(registry: &Registry, stream: &Datastream) -> Option<u16> {
    let station = registry.station(stream.station)?;
    let property = registry.property(stream.property)?;
    let weighted = &*station.section == "outfall" && property.combine == Combine::Mean;
    let ids = station.datastreams.iter().filter(|_| weighted);
    let mut beside = ids.filter_map(|id| registry.datastream(*id));
    let flow = beside.find(|other| {
        let name = registry.property(other.property).map(|property| &*property.name);
        name == Some("flow") && other.position == stream.position && is_continuous(other)
    })?;
    (flow.id != stream.id).then_some(flow.slot)
}

fn states_hour(stream: &Datastream) -> bool {
    stream.statistic == Statistic::Mean && stream.period_ms == Some(HOUR)
}

/// Says whether weir may average the values of a datastream to hours: not what is a sample, nor
/// what is an average.
fn is_continuous(stream: &Datastream) -> bool {
    stream.sampling == Sampling::Continuous && stream.statistic == Statistic::Instant
}

fn is_sampled(stream: &Datastream) -> bool {
    stream.statistic == Statistic::Sample
}

fn key(stream: &Datastream) -> (StationId, Box<str>, PropertyId) {
    (stream.station, stream.position.clone(), stream.property)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;

    #[track_caller]
    fn check(share: f64, every: i64, want: Option<(u32, u32)>) {
        let mean = hour_mean(share, every).map(|mean| (mean.needs, mean.expected));
        assert_eq!(mean, want);
    }

    #[test]
    fn minutes_are_counted_in_values() {
        check(45.0 / 60.0, MINUTE, Some((45, 60)));
        check(45.0 / 60.0, 10 * SECOND, Some((270, 360)));
        check(45.0 / 60.0, 7 * MINUTE, Some((6, 8)));
        check(45.0 / 60.0, HOUR, Some((1, 1)));
    }

    #[test]
    fn a_share_is_rounded_up() {
        check(0.75, 5 * MINUTE, Some((9, 12)));
        check(0.7, 6 * MINUTE, Some((7, 10)));
        check(1.0, MINUTE, Some((60, 60)));
    }

    #[test]
    fn what_comes_less_than_once_an_hour_has_no_hour_mean() {
        check(0.75, HOUR + 1, None);
    }
}

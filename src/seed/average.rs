//! What makes an average valid.

use std::collections::HashMap;

use crate::domain::name::{PropertyId, StationId};
use crate::domain::registry::{Combine, Datastream, HourMean, Statistic};
use crate::domain::time::HOUR;
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{AVERAGES, Cells, Sheets};
use crate::seed::stream::is_averaged;

/// How many values an hour needs.
#[derive(Clone, Copy, Debug)]
enum Need {
    /// Values of so many minutes.
    Minutes(f64),
    /// This share of the values expected.
    Share(f64),
}

/// Reads `averages.csv` and says which datastreams get hour means. A mean that a device states is
/// never averaged again, and weir makes none where the device states the hour itself.
pub(super) fn hour_means(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&AVERAGES);
    let mut needs: HashMap<Box<str>, Need> = HashMap::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let medium = cells.required("medium");
        let mut properties = draft.registry.properties.iter();
        if draft.properties.whole && !properties.any(|property| *property.medium == *medium) {
            cells.refuse("medium", "a medium of properties.csv");
        }
        cells.word("sampling", ("continuous", ()), &[]);
        cells.word("period", ("1h", ()), &[]);
        cells.required("clause");
        cells.required("source");
        cells.validity(&china());
        let need = need(&mut cells);
        if needs.insert(medium.into(), need).is_some() {
            cells.refuse("medium", "one row of a medium, sampling and period");
        }
    }
    let hours: Vec<_> =
        draft.registry.datastreams.iter().filter(|stream| states_hour(stream)).map(key).collect();
    let ids: Vec<_> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastream(id) else { continue };
        let Some(property) = draft.registry.property(stream.property) else { continue };
        let plain = is_averaged(stream) && property.combine != Combine::NoMean;
        if !plain || hours.contains(&key(stream)) {
            continue;
        }
        let need = needs.get(&property.medium).copied();
        let mean = need.and_then(|need| hour_mean(need, stream.expected_every_ms));
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.hour_mean = mean;
        }
    }
}

fn need(cells: &mut Cells<'_>) -> Need {
    let needs = cells.number("needs");
    let minutes = cells.word("of", ("minutes", true), &[("share", false)]);
    let most = if minutes { 60.0 } else { 1.0 };
    if needs <= 0.0 || needs > most {
        cells.refuse("needs", format_args!("more than 0 and at most {most}"));
    }
    if minutes { Need::Minutes(needs) } else { Need::Share(needs) }
}

/// Counts values; nothing where less than one an hour is expected.
fn hour_mean(need: Need, expected_every_ms: i64) -> Option<HourMean> {
    let expected =
        u32::try_from(HOUR / expected_every_ms.max(1)).ok().filter(|count| *count > 0)?;
    let share = match need {
        Need::Minutes(minutes) => minutes / 60.0,
        Need::Share(share) => share,
    };
    // The least whole number of values that makes the share; a hair's breadth of it is rounding.
    let needs = (1..=expected).find(|count| {
        f64::from(*count) >= f64::from(expected) * share * (1.0 - f64::EPSILON * 4.0)
    });
    Some(HourMean { needs: needs.unwrap_or(expected), expected })
}

fn states_hour(stream: &Datastream) -> bool {
    stream.statistic == Statistic::Mean && stream.period_ms == Some(HOUR)
}

fn key(stream: &Datastream) -> (StationId, Box<str>, PropertyId) {
    (stream.station, stream.position.clone(), stream.property)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{MINUTE, SECOND};

    #[track_caller]
    fn check(need: Need, every: i64, want: Option<(u32, u32)>) {
        let mean = hour_mean(need, every).map(|mean| (mean.needs, mean.expected));
        assert_eq!(mean, want);
    }

    #[test]
    fn minutes_are_counted_in_values() {
        check(Need::Minutes(45.0), MINUTE, Some((45, 60)));
        check(Need::Minutes(45.0), 10 * SECOND, Some((270, 360)));
        check(Need::Minutes(45.0), 7 * MINUTE, Some((6, 8)));
        check(Need::Minutes(45.0), HOUR, Some((1, 1)));
    }

    #[test]
    fn a_share_is_rounded_up() {
        check(Need::Share(0.75), 5 * MINUTE, Some((9, 12)));
        check(Need::Share(0.7), 6 * MINUTE, Some((7, 10)));
        check(Need::Share(1.0), MINUTE, Some((60, 60)));
    }

    #[test]
    fn what_comes_less_than_once_an_hour_has_no_hour_mean() {
        check(Need::Minutes(45.0), HOUR + 1, None);
    }
}

//! The air of a city: the mean concentrations of a named set of stations, from which its index is
//! reckoned. It is not the index of the worst station, nor the mean of their indices.

use crate::domain::evaluation::Item;
use crate::domain::name::PropertyId;
use crate::domain::observation::{ObservationResult, Side};

/// What a value below its detection limit counts in a mean: this share of the limit.
const BELOW_COUNTS: f64 = 0.5;

/// The mean of one property over the stations of a set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mean {
    /// The mean, to be evaluated like the item of a station.
    pub item: Item,
    /// Over how many stations it is.
    pub stations: u32,
}

/// Gives the means of a set from the items of its stations over one hour or day, a property each,
/// in the order of their ids. A station without a valid value of a property is not in its mean,
/// and a property that no station has is not there. Neither the order of the stations nor that of
/// their items makes a difference, to the last bit.
#[must_use]
pub fn means(stations: &[Vec<Item>]) -> Vec<Mean> {
    let mut values: Vec<(PropertyId, f64, bool)> = Vec::new();
    for items in stations {
        let of_station = values.len();
        for item in items {
            let Some((value, bound)) = concentration(item.result) else { continue };
            let found = (item.property, value, item.suspect || bound);
            let mine = values.get_mut(of_station..).unwrap_or_default();
            match mine.iter_mut().find(|(property, ..)| *property == item.property) {
                // A station speaks once; of two values that it has of a property the worse counts.
                Some(held) if (value, found.2) > (held.1, held.2) => *held = found,
                Some(_) => {}
                None => values.push(found),
            }
        }
    }
    // Sorted before they are added: a sum of doubles depends on the order.
    values.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    values.chunk_by(|one, other| one.0 == other.0).filter_map(mean).collect()
}

/// Gives the number that a result counts with in a mean, and whether it is only a bound.
fn concentration(result: ObservationResult) -> Option<(f64, bool)> {
    match result {
        ObservationResult::Value(value) => Some((value, false)),
        ObservationResult::Censored { side: Side::Below, limit } => {
            Some((limit * BELOW_COUNTS, false))
        }
        ObservationResult::Censored { side: Side::Above, limit } => Some((limit, true)),
        ObservationResult::Nil(_) => None,
    }
}

fn mean(values: &[(PropertyId, f64, bool)]) -> Option<Mean> {
    let (property, ..) = *values.first()?;
    let stations = u32::try_from(values.len()).ok()?;
    let sum: f64 = values.iter().map(|(_, value, _)| value).sum();
    let result = ObservationResult::Value(sum / f64::from(stations));
    let suspect = values.iter().any(|(.., suspect)| *suspect);
    Some(Mean { item: Item { property, result, suspect }, stations })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::observation::NilReason;

    fn item(property: u32, result: ObservationResult) -> Item {
        Item { property: PropertyId(property), result, suspect: false }
    }

    fn value(property: u32, value: f64) -> Item {
        item(property, ObservationResult::Value(value))
    }

    #[track_caller]
    fn check(stations: &[Vec<Item>], want: &[(u32, f64, u32)]) {
        let means = means(stations);
        let got = means
            .iter()
            .map(|mean| (mean.item.property.0, mean.item.result.number().unwrap(), mean.stations));
        assert_eq!(got.collect::<Vec<_>>(), want);
    }

    #[test]
    fn a_mean_is_over_the_stations_that_have_the_property() {
        let stations = [
            vec![value(1, 30.0), value(2, 8.0)],
            vec![value(1, 60.0)],
            vec![value(1, 75.0), item(2, ObservationResult::Nil(NilReason::Incomplete))],
        ];
        check(&stations, &[(1, 55.0, 3), (2, 8.0, 1)]);
    }

    #[test]
    fn what_is_below_its_detection_limit_counts_half_of_it() {
        let censored = ObservationResult::Censored { side: Side::Below, limit: 4.0 };
        check(&[vec![item(1, censored)], vec![value(1, 6.0)]], &[(1, 4.0, 2)]);
    }

    #[test]
    fn a_station_speaks_once() {
        check(&[vec![value(1, 6.0), value(1, 8.0)], vec![value(1, 10.0)]], &[(1, 9.0, 2)]);
    }

    #[test]
    fn one_suspect_value_makes_the_mean_suspect() {
        let suspect = Item { suspect: true, ..value(1, 6.0) };
        let means = means(&[vec![suspect], vec![value(1, 6.0), value(2, 1.0)]]);
        let got: Vec<bool> = means.iter().map(|mean| mean.item.suspect).collect();
        assert_eq!(got, [true, false]);
    }

    #[test]
    fn no_station_is_no_mean() {
        check(&[], &[]);
        check(&[vec![], vec![]], &[]);
    }

    proptest! {
        #[test]
        fn the_order_of_stations_does_not_matter(
            mut stations in proptest::collection::vec(
                proptest::collection::vec((0_u32..4, 0.0..900.0_f64, any::<bool>()), 0..6), 0..9),
        ) {
            let items = |stations: &[Vec<(u32, f64, bool)>]| -> Vec<Vec<Item>> {
                let item = |(of, number, suspect): &(u32, f64, bool)| {
                    Item { suspect: *suspect, ..value(*of, *number) }
                };
                stations.iter().map(|one| one.iter().map(item).collect()).collect()
            };
            let forward = means(&items(&stations));
            stations.reverse();
            for station in &mut stations {
                station.reverse();
            }
            prop_assert_eq!(forward, means(&items(&stations)));
        }
    }
}

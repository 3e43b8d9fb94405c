//! What a silence is of.

use super::*;

#[test]
fn a_matcher_fits_what_everything_of_it_fits() {
    let registry = registry(terms());
    let of = |stream| Subject::Datastream(DatastreamId(stream));
    let city = Matcher { place: Some(PlaceId(0)), ..Matcher::default() };
    let how_severe = |matcher: Matcher, subject, severity, want| {
        let times = (Timestamp(0), Timestamp(0));
        let event = AlertEvent::plain(AlertId(1), RIVER, subject, AlertChange::Fired, times);
        assert_eq!(matcher.fits(&registry, &event, severity), want, "{matcher:?} {subject:?}");
    };
    let check = |matcher, subject, want| how_severe(matcher, subject, Severity::Critical, want);
    check(city, of(4), true);
    check(city, Subject::Station(StationId(0)), true);
    check(city, Subject::Weir { condition: WeirCondition::SinkAway, network: None }, false);
    check(Matcher { property: Some(PropertyId(1)), ..city }, of(1), true);
    check(Matcher { property: Some(PropertyId(1)), ..city }, of(4), false);
    check(Matcher { station: Some(StationId(1)), ..city }, of(1), false);
    check(Matcher { rule: Some(PROBE), ..city }, of(1), false);
    check(Matcher { route: Some(Route::Instrument), ..city }, of(1), false);
    check(Matcher::default(), of(1), true);
    let mild = Matcher { severity: Some(Severity::Warning), ..city };
    how_severe(mild, of(1), Severity::Notice, true);
    how_severe(mild, of(1), Severity::Warning, true);
    how_severe(mild, of(1), Severity::Critical, false);
}

#[test]
fn a_silence_up_to_a_severity_lets_through_what_rises_above_it() {
    let mut run = Run::new(terms());
    let matcher = Matcher { severity: Some(Severity::Warning), ..Matcher::default() };
    run.act(What::Silence { id: 1, matcher, until: run.at().wall.plus(DAY) });
    run.fire(PROBE, 0);
    run.wait(2 * MINUTE);
    run.check("");
    run.worsen(PROBE, 0, Severity::Critical);
    run.check("1");
}

#[test]
fn a_matcher_concerns_a_station_of_which_an_alert_may_fit() {
    let mut registry = registry(terms());
    for stream in 0..5 {
        let one = registry.datastreams.get(stream).cloned();
        let rule = if stream == 4 { LAKE } else { RIVER };
        let one = one.map(|one| Datastream { exceedance_rule: Some(rule), ..one });
        registry.datastreams.put(stream, one.unwrap_or_else(|| panic!("there are five")));
    }
    let check = |matcher: Matcher, want: [bool; 3]| {
        let concerns = [0, 1, 2].map(|id| matcher.concerns(&registry, StationId(id)));
        assert_eq!(concerns, want, "{matcher:?}");
    };
    let all = Matcher::default();
    check(Matcher { place: Some(PlaceId(0)), ..all }, [true, true, true]);
    check(Matcher { place: Some(PlaceId(2)), ..all }, [false, false, true]);
    check(Matcher { station: Some(StationId(1)), ..all }, [false, true, false]);
    check(Matcher { property: Some(PropertyId(1)), ..all }, [true, true, false]);
    check(Matcher { rule: Some(LAKE), ..all }, [false, false, true]);
    check(Matcher { route: Some(Route::Environment), ..all }, [true, true, true]);
    check(Matcher { route: Some(Route::Instrument), ..all }, [false, false, false]);
    check(Matcher { rule: Some(PROBE), station: Some(StationId(0)), ..all }, [true, false, false]);
}

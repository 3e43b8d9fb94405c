//! How much a desk holds and tells at once, and what an edition and a snapshot leave of it.

use super::*;

#[test]
fn one_notice_lists_so_many_alerts_the_worst_first() {
    let mut run = Run::new(terms());
    let of = |rule, number: u32| {
        (rule, Subject::Datastream(DatastreamId(number % 4)), number, AlertChange::Fired)
    };
    let mut many: Vec<_> = (0..60).map(|number| of(LAKE, number)).collect();
    many.push(of(RIVER, 60));
    run.changes(&many);
    let notice = &run.told[0];
    let listed = (notice.entries.len(), notice.unlisted.len());
    assert_eq!((run.told.len(), listed), (1, (ENTRIES_MAX, 11)));
    assert_eq!(notice.entries[0].event.rule, RIVER);
    // Each of them stands once in the one or the other.
    let all = notice.entries.iter().chain(&notice.unlisted).map(|one| one.event.alert);
    assert_eq!(all.collect::<BTreeSet<_>>().len(), 61);
}

#[test]
fn so_many_silences_are_held() {
    let mut run = Run::new(terms());
    let matcher = Matcher { rule: Some(RIVER), ..Matcher::default() };
    let until = run.at().wall.plus(HOUR);
    for _ in 0..=SILENCES_MAX {
        run.act(What::Silence { id: run.desk.next_silence(), matcher, until });
    }
    assert_eq!(run.desk.silences(run.at().wall).count(), SILENCES_MAX);
    assert_eq!((run.desk.room(run.at().wall), run.desk.room(until)), (0, SILENCES_MAX));
}

#[test]
fn an_edition_tells_first_what_gathers() {
    let mut run = Run::new(terms());
    run.fire(RIVER, 0);
    run.fire(RIVER, 1);
    let at = run.at();
    run.desk.tell_all(&run.registry, at, &mut run.told);
    run.check("1; 2");
}

#[test]
fn it_survives_a_snapshot() {
    let mut run = Run::new(Alerting { flap_fires: 2, ..terms() });
    let alert = run.fire(RIVER, 0);
    run.act(What::Acknowledge { alert, until: None });
    run.fire(QUIET, 1);
    run.act(What::Silence { id: 1, matcher: Matcher::default(), until: Timestamp(i64::MAX) });
    let bytes = minicbor::to_vec(&run.desk).unwrap();
    assert_eq!(minicbor::decode::<Desk>(&bytes).unwrap(), run.desk);
}

#[test]
fn an_alert_takes_as_much_as_is_said() {
    assert!(size_of::<Standing>() <= 448, "{}", size_of::<Standing>());
}

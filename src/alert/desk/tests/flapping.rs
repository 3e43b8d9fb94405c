//! What comes and goes.

use super::*;

#[test]
fn what_comes_and_goes_is_said_once_with_its_count() {
    let mut run = Run::new(Alerting { flap_fires: 4, ..terms() });
    for _ in 0..3 {
        run.fire(RIVER, 0);
        run.leap(2 * MINUTE);
        run.end(RIVER, 0);
        run.leap(2 * MINUTE);
    }
    run.check("1; -1; 2; -2; 3; -3");
    for _ in 0..5 {
        run.fire(RIVER, 0);
        run.leap(2 * MINUTE);
        run.end(RIVER, 0);
        run.leap(2 * MINUTE);
    }
    run.check("4~4");
    run.fire(RIVER, 0);
    run.leap(59 * MINUTE);
    run.check("");
    run.leap(MINUTE);
    run.check("9 -4");
    run.end(RIVER, 0);
    run.leap(MINUTE);
    run.check("-9");
}

#[test]
fn what_began_to_flap_in_a_silence_is_said_when_a_person_ends_it() {
    let mut run = Run::new(Alerting { flap_fires: 2, ..terms() });
    let matcher = Matcher { rule: Some(RIVER), ..Matcher::default() };
    run.act(What::Silence { id: 1, matcher, until: run.at().wall.plus(8 * HOUR) });
    run.fire(RIVER, 0);
    run.end(RIVER, 0);
    run.fire(RIVER, 0);
    run.check("");
    run.act(What::EndSilence(1));
    run.wait(SECOND);
    run.check("2~2");
}

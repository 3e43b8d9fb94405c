//! Whatever happens to a desk: restarts, persons, time.

use proptest::prelude::*;

use super::*;

/// What may happen to a desk.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// An alert of a rule about a datastream begins, or ends where it fires.
    Turns(RuleId, u32),
    /// One that fires gets worse.
    Worsens(RuleId, u32),
    /// Somebody does something with the alert of so many.
    Act(u8, u64),
    /// So many seconds pass.
    Passes(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let rule = || prop::sample::select(vec![RIVER, PROBE, QUIET, LAKE]);
    prop_oneof![
        4 => (rule(), 0..5_u32).prop_map(|(rule, stream)| Happening::Turns(rule, stream)),
        1 => (rule(), 0..5_u32).prop_map(|(rule, stream)| Happening::Worsens(rule, stream)),
        2 => (0..5_u8, 1..8_u64).prop_map(|(act, alert)| Happening::Act(act, alert)),
        3 => (1..400_i64).prop_map(Happening::Passes),
        1 => (3_000..90_000_i64).prop_map(Happening::Passes),
    ]
}

impl Run {
    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Turns(rule, stream) => {
                let alert = self.alerts.get(&(rule, stream)).copied();
                let fires = alert.is_some_and(|alert| self.firing.contains(&alert));
                let subject = Subject::Datastream(DatastreamId(stream));
                if fires {
                    let alert = self.change(rule, subject, AlertChange::Resolved);
                    self.firing.remove(&alert);
                } else {
                    let alert = self.change(rule, subject, AlertChange::Fired);
                    self.firing.insert(alert);
                }
            }
            Happening::Worsens(rule, stream) => {
                let alert = self.alerts.get(&(rule, stream)).copied();
                if alert.is_some_and(|alert| self.firing.contains(&alert)) {
                    let subject = Subject::Datastream(DatastreamId(stream));
                    self.change(rule, subject, AlertChange::Changed);
                }
            }
            Happening::Act(act, alert) => {
                let (alert, until) = (AlertId(alert), self.at().wall.plus(HOUR));
                let matcher = Matcher { rule: Some(RIVER), ..Matcher::default() };
                self.act(match act {
                    0 => What::Acknowledge { alert, until: None },
                    1 => What::Acknowledge { alert, until: Some(until) },
                    2 => What::Undo(alert),
                    3 => What::Shelve { alert, until },
                    _ => What::Silence { id: self.desk.next_silence(), matcher, until },
                });
            }
            Happening::Passes(seconds) if seconds < 400 => self.wait(seconds * SECOND),
            Happening::Passes(seconds) => self.leap(seconds * SECOND),
        }
        self.now += 1;
    }
}

proptest! {
    /// A desk that is put down and taken up at any time says what it would have said.
    #[test]
    fn a_restart_anywhere_changes_nothing(
        happenings in prop::collection::vec(happening(), 1..40),
        restart in 0..40_usize,
    ) {
        let steps_ms = [15 * MINUTE, HOUR, 0];
        let usual = Alerting { steps_ms, ..Alerting::default() };
        let (mut run, mut other) = (Run::new(usual), Run::new(usual));
        for (at, happening) in happenings.into_iter().enumerate() {
            if at == restart {
                let bytes = minicbor::to_vec(&other.desk).unwrap();
                other.desk = minicbor::decode(&bytes).unwrap();
            }
            run.happen(happening);
            other.happen(happening);
        }
        prop_assert_eq!(&run.told, &other.told);
        prop_assert_eq!(run.desk, other.desk);
    }

    /// Whatever persons do: who is told that an alert ended was told that it began, the end comes
    /// once, and once nothing is silent any more nothing that stands is untold.
    #[test]
    fn what_ended_was_told_to_begin_and_nothing_is_lost_in_silence(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut run = Run::new(Alerting { repeat_ms: 0, ..Alerting::default() });
        happenings.into_iter().for_each(|happening| run.happen(happening));
        // Silences, shelving and flapping are over by then, and what gathers is told.
        (0..4).for_each(|_| run.leap(2 * HOUR));
        let mut begun = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for entry in run.told.iter().flat_map(|notice| &notice.entries) {
            let alert = entry.event.alert;
            if matches!(entry.event.change, AlertChange::Fired | AlertChange::Changed) {
                prop_assert!(!ended.contains(&alert), "{alert:?} is told after its end");
                begun.insert(alert);
            } else {
                prop_assert!(ended.insert(alert), "{alert:?} ends twice");
            }
        }
        let standing: BTreeSet<AlertId> = run.desk.standing().map(|(alert, _)| alert).collect();
        prop_assert_eq!(&standing, &run.firing, "what stands is what fires");
        for alert in &standing {
            prop_assert!(begun.contains(alert), "{alert:?} fires, and nobody knows");
        }
        for alert in begun.difference(&standing) {
            prop_assert!(ended.contains(alert), "{alert:?} is over, and nobody knows");
        }
    }
}

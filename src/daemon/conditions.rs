//! The way of conditions: what the parts of the daemon report of themselves, until the pipeline
//! hears it. Nobody waits to report, because who reports may be what the pipeline waits for.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::alert::WeirCondition;
use crate::domain::time::Timestamp;

/// How many changes of one condition may wait. They take turns, so that the one before and one
/// more cancel each other; that it held in between is still told.
const CHANGES_MAX: usize = 3;

/// That a condition began or ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The condition.
    pub condition: WeirCondition,
    /// The network, where it is one broker's.
    pub network: Option<Box<str>>,
    /// When it comes to an end what the condition is about: a certificate.
    pub until: Option<Timestamp>,
    /// Whether it holds.
    pub holds: bool,
}

impl Report {
    fn is_of(&self, other: &Self) -> bool {
        self.condition == other.condition && self.network == other.network
    }
}

/// Conditions that wait for the pipeline.
#[derive(Debug, Default)]
pub struct Conditions {
    waiting: Mutex<Vec<Report>>,
    came: Notify,
}

impl Conditions {
    /// Reports that a condition of weir as a whole began or ended.
    pub fn say(&self, condition: WeirCondition, holds: bool) {
        self.report(Report { condition, network: None, until: None, holds });
    }

    /// Reports that a condition began or ended.
    pub fn report(&self, report: Report) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_it = waiting.iter().filter(|one| one.is_of(&report));
        let (count, last) = (of_it.clone().count(), of_it.next_back());
        if last.is_some_and(|last| last.holds == report.holds) {
            return;
        }
        if count < CHANGES_MAX {
            waiting.push(report);
        } else if let Some(at) = waiting.iter().rposition(|one| one.is_of(&report)) {
            waiting.remove(at);
        }
        drop(waiting);
        self.came.notify_one();
    }

    /// Waits for the next one, in the order in which they were reported.
    pub async fn next(&self) -> Report {
        loop {
            if let Some(first) = self.take() {
                return first;
            }
            self.came.notified().await;
        }
    }

    fn take(&self) -> Option<Report> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        (!waiting.is_empty()).then(|| waiting.remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WeirCondition::{JournalFull, SinkAway};

    #[track_caller]
    fn check(said: &[(WeirCondition, bool)], want: &[(WeirCondition, bool)]) {
        let conditions = Conditions::default();
        for (condition, holds) in said {
            conditions.say(*condition, *holds);
        }
        let heard = std::iter::from_fn(|| conditions.take());
        let heard: Vec<_> = heard.map(|report| (report.condition, report.holds)).collect();
        assert_eq!(heard, want);
    }

    #[test]
    fn they_are_heard_in_order_and_a_repetition_is_no_news() {
        let said = [(SinkAway, true), (JournalFull, false), (SinkAway, true), (SinkAway, false)];
        check(&said, &[(SinkAway, true), (JournalFull, false), (SinkAway, false)]);
    }

    #[test]
    fn however_often_it_changes_few_changes_wait_and_the_last_is_true() {
        let changes = |count: usize| (0..count).map(|at| (JournalFull, at % 2 == 1));
        let some: Vec<_> = changes(CHANGES_MAX).collect();
        check(&some, &some);
        let many: Vec<_> = changes(1_001).chain([(SinkAway, true)]).collect();
        let (off, on) = ((JournalFull, false), (JournalFull, true));
        check(&many, &[off, on, off, (SinkAway, true)]);
        let many: Vec<_> = changes(1_000).collect();
        check(&many, &[off, on]);
    }

    #[test]
    fn each_broker_has_its_own() {
        let conditions = Conditions::default();
        let report = |network: &str, holds| Report {
            condition: SinkAway,
            network: Some(network.into()),
            until: None,
            holds,
        };
        let said = [report("a", true), report("b", true), report("a", false)];
        said.iter().for_each(|report| conditions.report(report.clone()));
        conditions.report(report("b", true));
        assert_eq!(std::iter::from_fn(|| conditions.take()).collect::<Vec<_>>(), said);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let conditions = std::sync::Arc::new(Conditions::default());
        let heard = std::sync::Arc::clone(&conditions);
        let heard = tokio::spawn(async move { heard.next().await });
        tokio::task::yield_now().await;
        conditions.say(SinkAway, true);
        let Report { condition, holds, .. } = heard.await.unwrap();
        assert_eq!((condition, holds), (SinkAway, true));
    }
}

//! What loggers of HJ 212 asked to have acknowledged: they wait, send again, and give up.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::time::{SECOND, Timestamp};
use crate::simulate::dialect::Dialect;
use crate::simulate::encode::{Publication, hj212};
use crate::simulate::fleet::Fleet;

/// How long a logger waits for an answer, ms, and how often it sends again: HJ 212-2017.
const PATIENCE: i64 = 10 * SECOND;
/// See [`PATIENCE`].
const REPEATS: u32 = 3;
/// How many frames of all loggers may wait for an answer; beyond, the oldest is given up.
const OPEN_MAX: usize = 100_000;

/// What came of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    /// How many frames asked,
    pub asked: u64,
    /// were acknowledged,
    pub acknowledged: u64,
    /// were acknowledged once more after that, or never asked,
    pub unasked: u64,
    /// were sent again,
    pub repeated: u64,
    /// were given up.
    pub given_up: u64,
    /// How many answers no logger takes.
    pub refused: u64,
}

#[derive(Clone, Debug)]
struct Open {
    publication: Publication,
    repeats: u32,
}

/// Who asked, by topic and `QN`.
type Key = (String, String);

/// The frames that wait.
#[derive(Debug, Default)]
pub(super) struct Loggers {
    open: BTreeMap<Key, Open>,
    /// When each is looked at again, in order.
    due: VecDeque<(Timestamp, Key)>,
    /// What came of asking.
    pub(super) answers: Answers,
    /// What was wrong with the last answer that no logger takes.
    pub(super) fault: Option<String>,
}

impl Loggers {
    /// Remembers a frame that asks.
    pub(super) fn ask(&mut self, publication: &Publication, at: Timestamp) {
        let Some(qn) = &publication.asks else { return };
        if self.due.len() >= OPEN_MAX
            && let Some((_, key)) = self.due.pop_front()
            && self.open.remove(&key).is_some()
        {
            self.answers.given_up += 1;
        }
        self.answers.asked += 1;
        let key = (publication.topic.clone(), qn.clone());
        let open = Open { publication: publication.clone(), repeats: 0 };
        self.open.insert(key.clone(), open);
        self.due.push_back((at.plus(PATIENCE), key));
    }

    /// Gives what is sent again by now.
    pub(super) fn again(&mut self, now: Timestamp) -> Vec<Publication> {
        let mut again = Vec::new();
        while self.due.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, key)) = self.due.pop_front() else { break };
            let Some(open) = self.open.get_mut(&key) else { continue };
            if open.repeats >= REPEATS {
                self.open.remove(&key);
                self.answers.given_up += 1;
                continue;
            }
            open.repeats += 1;
            self.answers.repeated += 1;
            again.push(open.publication.clone());
            self.due.push_back((now.plus(PATIENCE), key));
        }
        again
    }

    /// Says whether a frame waits.
    pub(super) fn wait(&self) -> bool {
        !self.open.is_empty()
    }

    /// Hears what came for a logger.
    pub(super) fn hear(&mut self, fleet: &Fleet, topic: &str, payload: &[u8]) {
        let name = topic.strip_prefix("hj212/").and_then(|rest| rest.strip_suffix("/down"));
        let of = |name: &str| fleet.devices.iter().find(|device| device.name == name);
        let Some(device) = name.and_then(of) else { return };
        let Dialect::Hj212(edition) = device.dialect else { return };
        let read = hj212::answer(payload, edition).and_then(|answer| {
            let own = answer.mn == device.name;
            own.then_some(answer.qn).ok_or_else(|| format!("MN={}", answer.mn))
        });
        match read {
            Err(fault) => {
                self.answers.refused += 1;
                self.fault = Some(format!("{}: {fault}", device.name));
            }
            Ok(qn) => match self.open.remove(&(format!("hj212/{}/up", device.name), qn.into())) {
                Some(_) => self.answers.acknowledged += 1,
                None => self.answers.unasked += 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::Hj212Edition;

    const AT: Timestamp = Timestamp(1_777_593_600_000);

    fn asked() -> (Fleet, Loggers, Publication) {
        let mut fleet = Fleet::new(&[Dialect::Hj212(Hj212Edition::Of2017)], 1, 1, true).unwrap();
        let mut loggers = Loggers::default();
        let frame = fleet.speak(0, AT).publications.remove(0);
        loggers.ask(&frame, AT);
        (fleet, loggers, frame)
    }

    fn answer(mn: &str, qn: &str) -> Vec<u8> {
        let data = format!("QN={qn};ST=91;CN=9014;PW=123456;MN={mn};Flag=4;CP=&&&&");
        hj212::frame(data.as_bytes())
    }

    #[test]
    fn what_nobody_acknowledges_is_sent_three_times_more() {
        let (_, mut loggers, frame) = asked();
        assert_eq!(loggers.again(AT.plus(PATIENCE - 1)), []);
        for turn in 1..=3 {
            assert_eq!(loggers.again(AT.plus(turn * PATIENCE)), std::slice::from_ref(&frame));
        }
        assert_eq!(loggers.again(AT.plus(4 * PATIENCE)), []);
        let Answers { asked, acknowledged, repeated, given_up, .. } = loggers.answers;
        assert_eq!([asked, acknowledged, repeated, given_up], [1, 0, 3, 1]);
        assert!(!loggers.wait());
    }

    #[test]
    fn so_many_frames_wait_and_the_oldest_is_given_up() {
        let (_, mut loggers, frame) = asked();
        for number in 0..OPEN_MAX {
            let asks = Some(number.to_string());
            loggers.ask(&Publication { asks, ..frame.clone() }, AT);
        }
        assert_eq!((loggers.open.len(), loggers.due.len()), (OPEN_MAX, OPEN_MAX));
        assert_eq!(loggers.answers.given_up, 1);
        assert!(!loggers.open.contains_key(&(frame.topic, frame.asks.unwrap())));
    }

    #[test]
    fn what_is_acknowledged_is_not_sent_again() {
        let (fleet, mut loggers, frame) = asked();
        let (topic, qn) = ("hj212/51A020170000000000000001/down", frame.asks.unwrap());
        loggers.hear(&fleet, topic, &answer("51A020170000000000000002", &qn));
        assert!(loggers.wait());
        loggers.hear(&fleet, topic, &answer("51A020170000000000000001", &qn));
        loggers.hear(&fleet, topic, &answer("51A020170000000000000001", &qn));
        assert_eq!(loggers.again(AT.plus(PATIENCE)), []);
        let Answers { acknowledged, unasked, refused, .. } = loggers.answers;
        assert_eq!([acknowledged, unasked, refused], [1, 1, 1]);
    }
}

//! What was heard of topics that nobody has described yet: some payloads of each, bounded.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;

/// How many topics are remembered.
pub const TOPICS_MAX: usize = 4_096;
/// How many different payloads of a topic are.
pub const SAMPLES_MAX: usize = 8;
/// How long a payload may be to be kept, bytes.
pub const SAMPLE_BYTES_MAX: usize = 64 << 10;
/// How much is kept of all topics, bytes.
pub const BYTES_MAX: usize = 64 << 20;
/// How long a topic may be, bytes.
pub const TOPIC_BYTES_MAX: usize = 256;

/// One payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Its bytes.
    pub payload: Box<[u8]>,
    /// When it came.
    pub at: Timestamp,
    /// Whether the broker had kept it.
    pub retained: bool,
}

/// What was heard on one topic.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topic {
    /// Some payloads, in the order they came.
    pub samples: Vec<Sample>,
    /// How many messages came live,
    pub live: u32,
    /// when the first of them did,
    pub first: Timestamp,
    /// and the last.
    pub last: Timestamp,
}

/// What was heard of one broker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// By topic.
    pub topics: BTreeMap<Box<str>, Topic>,
    /// How many messages came.
    pub messages: u64,
    bytes: usize,
    beyond: u64,
    long: u64,
    full: u64,
    odd: u64,
}

impl Survey {
    /// Hears a message.
    pub fn hear(&mut self, topic: &[u8], payload: &[u8], retained: bool, at: Timestamp) {
        self.messages += 1;
        let text = std::str::from_utf8(topic).ok().filter(|text| text.len() <= TOPIC_BYTES_MAX);
        let Some(name) = text else {
            self.odd += 1;
            return;
        };
        if !self.topics.contains_key(name) && self.topics.len() >= TOPICS_MAX {
            self.beyond += 1;
            return;
        }
        let topic = self.topics.entry(name.into()).or_default();
        if !retained {
            topic.first = if topic.live == 0 { at } else { topic.first };
            topic.live += 1;
            topic.last = at;
        }
        let known = |sample: &Sample| *sample.payload == *payload;
        if topic.samples.len() >= SAMPLES_MAX || topic.samples.iter().any(known) {
            return;
        }
        if payload.len() > SAMPLE_BYTES_MAX {
            self.long += 1;
        } else if self.bytes + payload.len() > BYTES_MAX {
            self.full += 1;
        } else {
            self.bytes += payload.len();
            topic.samples.push(Sample { payload: payload.into(), at, retained });
        }
    }

    /// Says which limits were reached.
    #[must_use]
    pub fn reached(&self) -> Vec<String> {
        let Self { beyond, long, full, odd, .. } = *self;
        let mib = BYTES_MAX >> 20;
        let reached = [
            (beyond, format!("messages on more than {TOPICS_MAX} topics were not looked at")),
            (long, format!("payloads of more than {SAMPLE_BYTES_MAX} bytes were not looked at")),
            (full, format!("payloads beyond {mib} MiB were not looked at")),
            (odd, format!("topics are no text or longer than {TOPIC_BYTES_MAX} bytes")),
        ];
        let reached = reached.into_iter().filter(|(count, _)| *count > 0);
        reached.map(|(count, words)| format!("{count} {words}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(survey: &mut Survey, topic: &str, payload: &[u8]) {
        survey.hear(topic.as_bytes(), payload, false, Timestamp(0));
    }

    #[test]
    fn topics_payloads_and_bytes_have_limits_and_those_reached_are_said() {
        let mut survey = Survey::default();
        for topic in 0..=TOPICS_MAX {
            hear(&mut survey, &format!("t/{topic}"), b"1");
        }
        assert_eq!(survey.topics.len(), TOPICS_MAX);
        for payload in 0..=SAMPLES_MAX {
            hear(&mut survey, "t/0", payload.to_string().as_bytes());
        }
        let first = &survey.topics["t/0"];
        assert_eq!((first.samples.len(), first.live), (SAMPLES_MAX, SAMPLES_MAX as u32 + 2));
        hear(&mut survey, "t/1", &vec![b'x'; SAMPLE_BYTES_MAX + 1]);
        hear(&mut survey, &"t".repeat(TOPIC_BYTES_MAX + 1), b"1");
        let mut filler = vec![0_u8; SAMPLE_BYTES_MAX];
        for topic in 2..=BYTES_MAX / SAMPLE_BYTES_MAX + 2 {
            filler[0] = filler[0].wrapping_add(1);
            hear(&mut survey, &format!("t/{topic}"), &filler);
        }
        assert!(survey.bytes <= BYTES_MAX);
        let reached = survey.reached();
        for words in ["topics were", "payloads of more", "payloads beyond", "longer than"] {
            assert!(reached.iter().any(|one| one.contains(words)), "no `{words}` in {reached:?}");
        }
        assert_eq!(Survey::default().reached(), Vec::<String>::new());
    }
}

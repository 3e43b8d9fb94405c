//! What the broker was asked to deliver, and what it answered.

use bytes::BytesMut;

use crate::mqtt::Error;
use crate::mqtt::wire::Pen;

/// How many bytes of filters one SUBSCRIBE holds.
const FILTER_BYTES: usize = 8 << 10;

/// Where mosquitto counts the messages that it dropped: of all its clients together.
pub(super) const DROPPED: &str = "$SYS/broker/publish/messages/dropped";
/// What stands for an answer that the broker left out.
const NO_ANSWER: &str = "the broker gave no answer for it";

/// The filters of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    packet_id: u16,
    /// What is not answered yet, by packet id.
    asked: Vec<(u16, Vec<String>)>,
    refused: Vec<(String, String)>,
    /// What was said to be watched beside the filters.
    watched: Option<u16>,
}

impl Subscription {
    /// Gives a packet id that weir has not used on this connection.
    pub(super) fn fresh_packet_id(&mut self) -> u16 {
        // 0 is none.
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    /// Asks for filters, whatever the broker remembers.
    pub(super) fn ask(
        &mut self,
        pen: Pen,
        filters: &[String],
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        for filters in portions(filters) {
            let packet_id = self.fresh_packet_id();
            pen.subscribe(packet_id, filters, out).map_err(Error::Unreadable)?;
            self.asked.push((packet_id, filters.to_vec()));
        }
        Ok(())
    }

    /// Asks for no more of filters that an earlier connection of the session asked for. The
    /// broker's answer says nothing that is needed.
    pub(super) fn leave(
        &mut self,
        pen: Pen,
        filters: &[String],
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        for filters in portions(filters) {
            let packet_id = self.fresh_packet_id();
            pen.unsubscribe(packet_id, filters, out).map_err(Error::Unreadable)?;
        }
        Ok(())
    }

    /// Asks for what stands on a topic that is none of the seeds': the broker's own count of what
    /// it dropped, what others are told of weir.
    pub(super) fn watch(&mut self, pen: Pen, topic: &str, out: &mut BytesMut) -> Result<(), Error> {
        let packet_id = self.fresh_packet_id();
        self.watched = Some(packet_id);
        pen.watch(packet_id, topic, out).map_err(Error::Unreadable)
    }

    /// Notes an answer, filter by filter.
    pub(super) fn answer(&mut self, packet_id: u16, codes: Vec<Option<String>>) {
        if self.watched == Some(packet_id) {
            // A broker that counts nothing, or not for weir, is none the worse.
            tracing::debug!(answer = ?codes, "What the broker drops was asked for.");
        }
        let Some(index) = self.asked.iter().position(|(of, _)| *of == packet_id) else { return };
        let (_, filters) = self.asked.swap_remove(index);
        let none = std::iter::repeat_with(|| Some(NO_ANSWER.to_owned()));
        let answers = filters.into_iter().zip(codes.into_iter().chain(none));
        let refused = answers.filter_map(|(filter, reason)| Some((filter, reason?)));
        self.refused.extend(refused);
    }

    /// Gives what is refused once everything is answered.
    pub(super) fn refused(&self) -> Option<&[(String, String)]> {
        self.asked.is_empty().then_some(&*self.refused)
    }
}

/// Says whether a filter fits a topic.
#[must_use]
pub fn fits(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for level in filter.split('/') {
        match (level, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (word, Some(level)) if word == level => {}
            (_, _) => return false,
        }
    }
    levels.next().is_none()
}

/// Cuts filters into what one packet holds.
fn portions(filters: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = filters;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|filter| {
            bytes += filter.len() + 3;
            bytes <= FILTER_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, topic: &str, want: bool) {
        assert_eq!(fits(filter, topic), want, "{filter} {topic}");
    }

    #[test]
    fn many_filters_are_asked_for_in_several_packets() {
        let filters: Vec<String> = (0..2_000).map(|n| format!("water/station-{n:04}/+")).collect();
        let cut: Vec<&[String]> = portions(&filters).collect();
        let bytes = |part: &[String]| part.iter().map(|one| one.len() + 3).sum::<usize>();
        assert!(cut.len() > 2 && cut.iter().all(|part| bytes(part) <= FILTER_BYTES));
        assert!(bytes(cut[0]) > FILTER_BYTES - 30, "as many as fit");
        assert_eq!(cut.concat(), filters);
        // One that is longer alone goes alone.
        let long = ["x".repeat(FILTER_BYTES), "a".to_owned()];
        assert_eq!(portions(&long).count(), 2);
    }

    #[test]
    fn a_plus_is_one_level_and_a_hash_is_the_rest() {
        check("weir/+/status", "weir/a/status", true);
        check("weir/+", "weir/a/status", false);
        check("weir/+/status/+", "weir/a/status", false);
        check("weir/#", "weir/a/status", true);
        check("#", "weir/a/status", true);
        check("water/+/data", "weir/a/status", false);
    }
}

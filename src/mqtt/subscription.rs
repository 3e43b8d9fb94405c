//! What the broker was asked to deliver, and what it answered.

use bytes::BytesMut;

use crate::mqtt::Error;
use crate::mqtt::wire::Pen;

/// How many bytes of filters one SUBSCRIBE holds.
const FILTER_BYTES: usize = 8 << 10;

/// What stands for an answer that the broker left out.
const NO_ANSWER: &str = "the broker gave no answer for it";

/// The filters of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    packet_id: u16,
    /// What is not answered yet, by packet id.
    asked: Vec<(u16, Vec<String>)>,
    refused: Vec<(String, String)>,
}

impl Subscription {
    /// Asks for filters, whatever the broker remembers.
    pub(super) fn ask(
        &mut self,
        pen: Pen,
        filters: &[String],
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        for filters in portions(filters) {
            self.packet_id += 1;
            pen.subscribe(self.packet_id, filters, out).map_err(Error::Unreadable)?;
            self.asked.push((self.packet_id, filters.to_vec()));
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
            self.packet_id += 1;
            pen.unsubscribe(self.packet_id, filters, out).map_err(Error::Unreadable)?;
        }
        Ok(())
    }

    /// Notes an answer, filter by filter.
    pub(super) fn answer(&mut self, packet_id: u16, codes: Vec<Option<String>>) {
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

//! A number as text, of the channel that the topic names: `7.62`, `<0.02`, `21.5 Cel`.

use crate::decode::named::{Readings, Said};
use crate::decode::{Context, Decoded, number};
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "a plain number";

/// Plain numbers, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

impl Plan {
    /// Decodes one payload.
    ///
    /// # Errors
    /// The payload is no text.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let mut readings = Readings::new(FORMAT, context, decoded);
        let words = std::str::from_utf8(payload).map_err(|error| {
            readings.malformed(format!("byte {}: no UTF-8 text", error.valid_up_to()))
        })?;
        let words = words.trim_matches(|sign: char| sign.is_whitespace() || sign == '\0');
        let (value, unit) = match words.rsplit_once(char::is_whitespace) {
            // `< 0.02` has a space, too.
            Some((value, unit)) if number::written(unit).is_none() => (value.trim(), Some(unit)),
            Some(_) | None => (words, None),
        };
        let said = Said { unit, ..Said::default() };
        readings.take(context.channel.unwrap_or_default(), said, |_| number::text(value, true))
    }
}

#[cfg(test)]
mod tests;

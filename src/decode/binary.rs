//! Records of bytes: a channel is a field, by its type and place in the record. A payload is as
//! long as the seeds say, or it is another.

use crate::decode::named::{Readings, Said, apart, finite, truth};
use crate::decode::{Context, Decoded, number, time};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::{FIELD, Field, FieldKind, Options, Profile, TimeUnit, TopicRule};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "a binary record";
/// How many records a payload may have.
const RECORDS_MAX: usize = 1_024;

/// Records of bytes, compiled for a topic and a profile.
#[derive(Debug)]
pub struct Plan {
    options: Options,
    time: Option<Field>,
    /// The fields with the names of their channels.
    fields: Vec<(Box<str>, Field)>,
    /// Why the channels of the profile can't be read, if they can't.
    fault: Option<Box<str>>,
}

impl Plan {
    /// Prepares the fields of a profile.
    #[must_use]
    pub fn new(rule: &TopicRule, profile: &Profile) -> Self {
        let mut plan = Self {
            options: rule.options.clone(),
            time: Field::read(&rule.pointers.time),
            fields: Vec::new(),
            fault: None,
        };
        if rule.options.record == 0 {
            let fault = "its topic says how long a record is: give one of topics.csv";
            plan.fault = Some(fault.into());
        }
        // What is of the device itself may be wanted where another topic brings it.
        let wanted = profile.channels.iter().filter(|channel| channel.property.is_some());
        for channel in wanted.filter(|channel| !channel.name.starts_with('@')) {
            let name = number::cut(&channel.name);
            match Field::read(&channel.name) {
                Some(field) if field.end() <= usize::from(plan.options.record) => {
                    plan.fields.push((channel.name.clone(), field));
                }
                Some(field) => {
                    let (end, record) = (field.end(), plan.options.record);
                    let fault = format!(
                        "channel `{name}` of the profile ends behind byte {end}, and a record has \
                         {record}"
                    );
                    plan.fault.get_or_insert(fault.into());
                }
                None => {
                    let fault =
                        format!("channel `{name}` of the profile is no field; expected {FIELD}");
                    plan.fault.get_or_insert(fault.into());
                }
            }
        }
        plan
    }

    /// Decodes one payload.
    ///
    /// # Errors
    /// It is of another length, or the profile is of another format.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        if let Some(fault) = &self.fault {
            return Err(malformed(&**fault));
        }
        let mut readings = Readings::new(FORMAT, context, decoded);
        for (record, number) in self.records(payload)?.zip(0..) {
            let stated = self.time.map(|field| time_of(field, record, context.rule.time_unit));
            let (time, undated) = apart(stated.as_ref());
            let said = Said { time, undated, unit: None, record: number };
            for (name, field) in &self.fields {
                readings.take(name, said, |_| value(*field, record))?;
            }
        }
        Ok(())
    }

    /// Takes the payload apart. Without a time in them several records would fall on one moment.
    fn records<'p>(&self, payload: &'p [u8]) -> Result<std::slice::ChunksExact<'p, u8>, Reason> {
        let Options { before, record, .. } = self.options;
        let (before, record) = (usize::from(before), usize::from(record));
        let body = payload.get(before..).unwrap_or_default();
        let count = body.len().checked_div(record).unwrap_or_default();
        let fits = count > 0 && count * record == body.len();
        if fits && (count == 1 || self.time.is_some()) && count <= RECORDS_MAX {
            return Ok(body.chunks_exact(record));
        }
        let head = if before == 0 { String::new() } else { format!("{before} and ") };
        let times =
            if self.time.is_some() { format!("1 to {RECORDS_MAX} times ") } else { String::new() };
        Err(malformed(format!("{} bytes, expected {head}{times}{record}", payload.len())))
    }
}

/// Gives the number that a field holds.
fn value(field: Field, record: &[u8]) -> Result<ObservationResult, Reason> {
    let Some(bits) = field.bits(record) else {
        // Compiled fields lie in the record.
        return Err(malformed(format!("it ends before byte {}", field.end())));
    };
    match (field.bit, field.kind, field.bytes) {
        (Some(bit), _, _) => Ok(truth(bits >> bit & 1 == 1)),
        (None, FieldKind::Unsigned, _) => Ok(ObservationResult::Value(bits as f64)),
        (None, FieldKind::Signed, _) => Ok(ObservationResult::Value(signed(field, bits) as f64)),
        (None, FieldKind::Float, 4) => {
            let value = f32::from_bits(bits as u32);
            float(number::shortest(value))
        }
        (None, FieldKind::Float, _) => float(f64::from_bits(bits)),
    }
}

fn float(value: f64) -> Result<ObservationResult, Reason> {
    match value.is_nan() {
        true => Err(Reason::WrongType { found: "NaN".into(), expected: "a number" }),
        false => finite(value, value),
    }
}

fn signed(field: Field, bits: u64) -> i64 {
    let above = 64 - 8 * u32::from(field.bytes);
    (bits << above).cast_signed() >> above
}

fn time_of(field: Field, record: &[u8], unit: TimeUnit) -> Result<Timestamp, Reason> {
    let bits = field.bits(record).unwrap_or_default();
    let count = match (field.kind, field.bytes) {
        (FieldKind::Unsigned, _) => bits.to_string(),
        (FieldKind::Signed, _) => signed(field, bits).to_string(),
        (FieldKind::Float, 4) => f32::from_bits(bits as u32).to_string(),
        (FieldKind::Float, _) => f64::from_bits(bits).to_string(),
    };
    time::device_time(&count, unit, &jiff::tz::TimeZone::UTC)?
        .ok_or_else(|| Reason::BadTime { found: count.into(), expected: "a time" })
}

fn malformed(fault: impl Into<Box<str>>) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;

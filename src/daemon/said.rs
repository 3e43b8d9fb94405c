//! What is said of values, in words: what a person says, or what a check of the instrument showed.

use jiff::tz::TimeZone;

use crate::daemon::threshold::number;
use crate::domain::check::{ByCheck, CheckKind};
use crate::domain::invalidation::Invalidation;
use crate::domain::registry::Registry;

/// Gives the reason for which something is said.
pub(super) fn reason(registry: &Registry, one: &Invalidation) -> String {
    let reason = one.said.reason.as_str();
    let Some(check) = &one.by_check else { return reason.to_owned() };
    let station = registry.station(one.scope.station);
    let zone = station.map_or(TimeZone::UTC, |station| station.zone.clone());
    let property = one.scope.property.and_then(|id| registry.property(id));
    let unit = property.map_or("", |property| registry.unit_label(property));
    let at = check.at.rfc3339(&zone);
    let words = format!("{} of {at} failed: {}", kind(check.kind), found(check, unit));
    if reason.is_empty() { words } else { format!("{words}; {reason}") }
}

/// Names a kind of check.
pub(super) fn kind(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Zero => "zero check",
        CheckKind::Span => "span check",
        CheckKind::StandardSample => "standard sample",
        CheckKind::SpikeRecovery => "spike recovery",
        CheckKind::ParallelSample => "parallel sample",
    }
}

/// Says what was found, and what passes: `0.31 against 0 ± 0.05 mg/L`.
pub(super) fn found(check: &ByCheck, unit: &str) -> String {
    if let Some((share, low, high)) = check.shares() {
        let [share, low, high] = [share, low, high].map(number);
        return format!("{share} % found again, {low} to {high} % passes");
    }
    let within = number((check.high - check.low) / 2.0);
    let (value, standard) = (number(check.value), number(check.standard));
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    format!("{value} against {standard} ± {within}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[track_caller]
    fn check(kind: CheckKind, numbers: [f64; 4], want: &str) {
        let [value, standard, low, high] = numbers;
        let check = ByCheck { kind, at: Timestamp(0), value, standard, low, high };
        assert_eq!(found(&check, "mg/L"), want);
    }

    #[test]
    fn a_check_is_said_with_what_passes() {
        check(CheckKind::Zero, [0.31, 0.0, -0.05, 0.05], "0.31 against 0 ± 0.05 mg/L");
        check(CheckKind::Span, [1.62, 2.0, 1.8, 2.2], "1.62 against 2 ± 0.2 mg/L");
        let recovery = [1.0, 2.0, 1.6, 2.4];
        check(CheckKind::SpikeRecovery, recovery, "50 % found again, 80 to 120 % passes");
    }
}

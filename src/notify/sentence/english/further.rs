//! What has no limit of its own, in English: a value that changes fast, values that can't be
//! assessed, what several items come to.

use crate::domain::alert::AlertChange;
use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Grade, Index};
use crate::domain::registry::{RuleKind, Slope, Worse};

use super::super::{Scene, grade_word, lasting};

const UNITS: [&str; 4] = [" d", " h", " min", " s"];

impl Scene<'_> {
    /// `: ammonia nitrogen rose from 0.620 mg/L (08:00) to 1.810 mg/L, sample of 12:00, more than
    /// 0.5 mg/L in 4 h, since 12:00`.
    pub(super) fn of_rise(&self, who: &str, (since, until): (&str, &str)) -> String {
        let (slope, over) = match self.kind_of_rule {
            Some(RuleKind::Rise { slope, over_ms, .. }) => (Some(slope), over_ms),
            Some(_) | None => (None, 0),
        };
        let over = lasting(over, UNITS, " ");
        let more = |by| format!("by more than {}", self.number_text(by));
        let (went, going, by) = match slope {
            Some(Slope::Rises(by)) => ("rose", "rising", more(by)),
            Some(Slope::Falls(by)) => ("fell", "falling", more(by)),
            Some(Slope::Times(times)) => {
                ("rose", "rising", format!("to more than {times} times as much"))
            }
            None => ("changed", "changing", String::from("fast")),
        };
        match self.event.change {
            AlertChange::Resolved => format!(
                "{who}: {}, no longer {going} {by} in {over}; it did from {since} to {until}",
                self.said()
            ),
            AlertChange::Past => format!(
                "{who}: {} {went} {by} in {over}, from {since} to {until}; over before it could be \
                 told, found in what the broker had kept",
                self.item()
            ),
            AlertChange::Fired | AlertChange::Changed | AlertChange::Withdrawn => {
                let before = self.event.before.map_or(String::new(), |before| {
                    format!(" from {} ({})", self.before_text(), self.when(before.span))
                });
                let what = self.what().map_or(String::new(), |what| format!(", {what}"));
                format!(
                    "{who}: {} {went}{before} to {}{what}: {by} in {over}{}",
                    self.item(),
                    self.value_text(),
                    self.since(", ", since)
                )
            }
        }
    }

    /// `: ammonia nitrogen comes and can't be assessed, since 08:00: the value failed quality
    /// control`.
    pub(super) fn of_unassessable(&self, who: &str, (since, until): (&str, &str)) -> String {
        let item = self.item();
        match self.event.change {
            AlertChange::Resolved => format!(
                "{who}: {} can be assessed again; no value could from {since} to {until}",
                self.said()
            ),
            AlertChange::Past => format!(
                "{who}: {item} could not be assessed from {since} to {until}; found in what the \
                 broker had kept"
            ),
            AlertChange::Fired | AlertChange::Changed | AlertChange::Withdrawn => {
                let reason = self.event.reason.map_or("", reason_words);
                let since = self.since(", ", since);
                format!("{who}: {item} comes and can't be assessed{since}: {reason}")
            }
        }
    }

    /// `Hunnan air station: air quality index 230 heavy (10:00–11:00), by fine particles: moderate
    /// or worse, since 09:00`.
    pub(super) fn of_index(&self, who: &str, (since, until): (&str, &str)) -> String {
        let lasts = self.since(", ", since);
        let Some(index) = self.index else { return format!("{who}: an index{lasts}") };
        let mut said = index_name(index).to_owned();
        if let Some(value) = self.event.value {
            said.push_str(&format!(" {}", self.index_number(value)));
        }
        if let Some(grade) = self.event.grade {
            let class = if matches!(grade, Grade::Water(_)) { "class " } else { "" };
            said.push_str(&format!(" {class}{}", grade.word()));
        }
        if let Some(span) = self.event.span {
            said.push_str(&format!(" ({})", self.when(span)));
        }
        let bad = match self.kind_of_rule {
            Some(RuleKind::Index { worse, .. }) => bad(index, worse),
            Some(_) | None => String::from("bad"),
        };
        if self.event.change == AlertChange::Resolved {
            return format!("{who}: {said}, no longer {bad}; it was from {since} to {until}");
        }
        if self.event.change == AlertChange::Past {
            return format!(
                "{who}: was {bad} from {since} to {until}, {said}; over before it could be told, \
                 found in what the broker had kept"
            );
        }
        let by = self.deciding.map_or(String::new(), |item| format!(", by {}", item.name_en));
        let reason = self.event.reason.map(reason_words);
        let reason = reason.map_or(String::new(), |reason| format!(", {reason}"));
        let now = if self.event.change == AlertChange::Changed { "now " } else { "" };
        let standing = self.standing();
        format!("{who}{standing}: {now}{said}{by}: {bad}{reason}{lasts}")
    }
}

fn bad(index: Index, worse: Worse) -> String {
    match worse {
        Worse::Grade(grade) => match grade_word(index, grade) {
            Some(grade) => format!("{} or worse", grade.word()),
            None => String::from("bad"),
        },
        Worse::Above(limit) => format!("above {limit}"),
        Worse::Below(limit) => format!("below {limit}"),
        Worse::Missed => String::from("missing its target"),
        Worse::NotAssessable => String::from("impossible to give"),
    }
}

fn index_name(index: Index) -> &'static str {
    match index {
        Index::WaterClass => "water quality",
        Index::Aqi => "air quality index",
        Index::Trophic => "trophic level index",
        Index::BlackOdour => "black and odorous water:",
        Index::Cwqi => "city water quality index",
        Index::RiverGrade => "water quality of the river:",
        Index::SupplyQuality => "supply quality, per cent within limits,",
        Index::PowerFactor => "power factor",
        Index::Balance => "balance of meters, per cent off,",
        Index::WaterReuse => "water reused, per cent,",
        Index::Intensity => "energy intensity, tce per 10⁴ RMB,",
        Index::VoltageUnbalance => "voltage unbalance, per cent within limits,",
        Index::StandardCoal => "standard coal, tce,",
        Index::CarbonDioxide => "carbon dioxide, t,",
    }
}

fn reason_words(reason: NotAssessable) -> &'static str {
    match reason {
        NotAssessable::NoLimit => "no limit is meant for it",
        NotAssessable::NoneInForce => "no limit is in force",
        NotAssessable::Quality => "its values fail quality control",
        NotAssessable::Missing => "its values are missing",
        NotAssessable::Censored => "its values lie on both sides of the limit",
        NotAssessable::Incomplete => "too few values count",
        NotAssessable::ConditionUnknown => "what its limit depends on is unknown",
        NotAssessable::Indicative => "the station is indicative",
        NotAssessable::TooFewItems => "too few items have a value",
    }
}

//! From where on a test doubts a value or calls it wrong, in words of both languages.

use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{
    Attenuated, Check, Climate, CrossCheck, CrossKind, Datastream, Falls, FlatLine, GrossRange,
    OneSided, Rate, Season, Spike, SpikeMethod, Thresholds, Tolerance, UnitMistake,
};
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND};
use crate::http::view::Text;

/// Names a test for who reads Chinese; English has the name of the seeds.
pub(super) fn name(test: Test) -> Text {
    let zh = match test {
        Test::Missing => "缺测",
        Test::GrossRange => "量程",
        Test::Clock => "时钟",
        Test::Members => "组成值",
        Test::Climatology => "季节范围",
        Test::Spike => "尖峰",
        Test::RateOfChange => "变化率",
        Test::FlatLine => "恒值",
        Test::AttenuatedSignal => "信号衰减",
        Test::TimingGap => "时间间断",
        Test::MultiVariate => "多参数关系",
        Test::Neighbour => "上下游对照",
        Test::DeviceMark => "设备标记",
        Test::StaleAnalyser => "分析仪结果重复",
        Test::OutOfWater => "探头离水",
        Test::UnitMistake => "单位错误",
        Test::Drift => "漂移",
        Test::Counter => "读数倒退",
        Test::ControlCheck => "质控核查",
        Test::SiteCalendar => "站点日历",
        Test::Person => "人工判定",
    };
    Text::new(test.name().replace('_', " "), zh)
}

/// Writes a number without needless digits.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e9).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes how long something lasts, in the largest unit that fits.
pub(super) fn length(ms: i64) -> String {
    let whole = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    // Up to two days people count hours.
    let fits =
        |(unit, _): &(i64, &str)| ms >= *unit && ms % unit == 0 && (*unit != DAY || ms > 2 * DAY);
    if let Some((unit, name)) = whole.into_iter().find(fits) {
        return format!("{} {name}", ms / unit);
    }
    let (unit, name) = match ms {
        _ if ms >= 2 * DAY => (DAY, "d"),
        _ if ms >= 2 * HOUR => (HOUR, "h"),
        _ if ms >= 2 * MINUTE => (MINUTE, "min"),
        _ => (SECOND, "s"),
    };
    format!("{:.1} {name}", ms as f64 / unit as f64)
}

/// Puts a unit behind words.
pub(super) fn with(words: String, unit: &str) -> String {
    if unit.is_empty() { words } else { format!("{words} {unit}") }
}

/// Tells the thresholds of a test of a datastream; nothing where it has none.
pub(super) fn threshold(datastream: &Datastream, test: Test, unit: &str) -> Option<Text> {
    let qc = &*datastream.qc;
    let own = match test {
        Test::GrossRange => qc.gross_range.map(|spans| gross_range(spans, unit)),
        Test::Spike => qc.spike.map(|asked| spike(asked, unit)),
        Test::RateOfChange => qc.rate_of_change.map(|rate| rate_of_change(rate, unit)),
        Test::FlatLine => qc.flat_line.map(|flat| flat_line(flat, unit)),
        Test::AttenuatedSignal => qc.attenuated_signal.map(|asked| attenuated(asked, unit)),
        Test::TimingGap => qc.timing_gap.map(|gap| timing_gap(gap.fail_ms)),
        Test::OutOfWater => qc.zero.map(zero),
        Test::UnitMistake => qc.unit_mistake.map(unit_mistake),
        Test::Drift => qc.drift.map(|tolerance| drift(tolerance, unit)),
        Test::Counter => qc.counter.map(|falls| counter(falls, unit)),
        Test::Neighbour => qc.neighbour.map(|tolerance| neighbour(tolerance, unit)),
        Test::Missing
        | Test::Clock
        | Test::Members
        | Test::Climatology
        | Test::MultiVariate
        | Test::DeviceMark
        | Test::StaleAnalyser
        | Test::ControlCheck
        | Test::SiteCalendar
        | Test::Person => None,
    };
    let checks = datastream.standing.judged_by.iter().filter(|check| check.test == test);
    let all: Vec<Text> = own.into_iter().chain(checks.map(|one| check(one))).collect();
    let join =
        |of: fn(&Text) -> &str, between: &str| all.iter().map(of).collect::<Vec<_>>().join(between);
    let text = Text::new(join(|one| &one.en, "; "), join(|one| &one.zh, "；"));
    (!all.is_empty()).then_some(text)
}

/// Tells two spans.
pub(super) fn gross_range(spans: GrossRange, unit: &str) -> Text {
    let words = |span: Option<(f64, f64)>, between: &str| {
        span.map(|(low, high)| with(format!("{}{between}{}", number(low), number(high)), unit))
    };
    let en = [("fail outside", spans.fail), ("suspect outside", spans.suspect)];
    let en =
        en.into_iter().filter_map(|(what, span)| Some(format!("{what} {}", words(span, " to ")?)));
    let zh = [("超出即错误", spans.fail), ("超出即可疑", spans.suspect)];
    let zh =
        zh.into_iter().filter_map(|(what, span)| Some(format!("{} {what}", words(span, "~")?)));
    Text::new(en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"))
}

/// Tells two thresholds with the words for what lies beyond.
fn thresholds(of: Thresholds, (en, zh): (&str, &str), unit: &str) -> Text {
    let each = |what: [&str; 2], beyond: &str| {
        let pairs = [(of.fail, what[0]), (of.suspect, what[1])];
        let told = pairs.into_iter().filter_map(|(threshold, flag)| {
            Some(format!("{flag} {beyond} {}", with(number(threshold?), unit)))
        });
        told.collect::<Vec<_>>()
    };
    let en = each(["fail", "suspect"], en).join(", ");
    Text::new(en, each(["错误", "可疑"], zh).join("，"))
}

/// Tells from which height on a spike is one.
pub(super) fn spike(asked: Spike, unit: &str) -> Text {
    let (en, zh) = match asked.method {
        SpikeMethod::Average => ("average", "与两侧均值之差"),
        SpikeMethod::Differential => ("differential", "与较近一侧之差"),
    };
    let text = thresholds(asked.thresholds, ("above", "高于"), unit);
    Text::new(format!("{} ({en})", text.en), format!("{}（{zh}）", text.zh))
}

/// Tells from which rate on a change is too fast, an hour.
pub(super) fn rate_of_change(rate: Rate, unit: &str) -> Text {
    let hours = (HOUR / SECOND) as f64;
    let scale = if rate.relative { hours * 100.0 } else { hours };
    let hourly = |threshold: Option<f64>| threshold.map(|one| one * scale);
    let Thresholds { suspect, fail } = rate.thresholds;
    let hourly = Thresholds { suspect: hourly(suspect), fail: hourly(fail) };
    let unit_of = if rate.relative { "%/h".to_owned() } else { format!("{unit}/h") };
    let text = thresholds(hourly, ("above", "高于"), &unit_of);
    let noise = with(number(rate.noise), unit);
    Text::new(
        format!("{}, a change of up to {noise} is noise", text.en),
        format!("{}，变化不超过 {noise} 视为噪声", text.zh),
    )
}

/// Tells for how long values may lie close together.
pub(super) fn flat_line(flat: FlatLine, unit: &str) -> Text {
    let tolerance = with(number(flat.tolerance), unit);
    let lasts = |words: [&str; 2]| {
        let pairs = [(flat.fail_ms, words[0]), (flat.suspect_ms, words[1])];
        let told =
            pairs.into_iter().filter_map(|(ms, flag)| Some(format!("{flag} {}", length(ms?))));
        told.collect::<Vec<_>>()
    };
    let mut en = format!(
        "{}, values closer together than {tolerance}",
        lasts(["fail after", "suspect after"]).join(", ")
    );
    let mut zh =
        format!("{}，各值相差小于 {tolerance}", lasts(["错误：持续", "可疑：持续"]).join("，"));
    if let Some((low, high)) = flat.unless {
        let (low, high) = (number(low), number(high));
        en.push_str(&with(format!(", not from {low} to {high}"), unit));
        zh.push_str(&with(format!("，{low}~{high} 除外"), unit));
    }
    Text::new(en, zh)
}

/// Tells below which strength a signal is too weak.
pub(super) fn attenuated(asked: Attenuated, unit: &str) -> Text {
    let (en, zh) = match asked.check {
        Check::Deviation => ("standard deviation", "标准差"),
        Check::Range => ("range", "极差"),
    };
    let text = thresholds(asked.thresholds, ("below", "低于"), unit);
    let over = asked.over_ms.map(length);
    let (mut en, mut zh) = (format!("{en}: {}", text.en), format!("{zh}：{}", text.zh));
    if let Some(over) = over {
        en.push_str(&format!(", over {over}"));
        zh.push_str(&format!("，时段 {over}"));
    }
    Text::new(en, zh)
}

/// Tells from which gap on a value comes too late.
pub(super) fn timing_gap(fail_ms: i64) -> Text {
    let gap = length(fail_ms);
    Text::new(format!("fail after a gap of more than {gap}"), format!("间隔超过 {gap} 即错误"))
}

/// Tells what an exact zero is.
pub(super) fn zero(removed: Flag) -> Text {
    if removed == Flag::Fail {
        Text::new("fail at exactly 0", "恰为 0 即错误")
    } else {
        Text::new("suspect at exactly 0", "恰为 0 即可疑")
    }
}

/// Tells which factor looks like a mistaken unit.
pub(super) fn unit_mistake(mistake: UnitMistake) -> Text {
    let (low, high) = (mistake.factor / mistake.within, mistake.factor * mistake.within);
    let (low, high) = (number(low), number(high));
    Text::new(
        format!("suspect at {low} to {high} times what is usual, or such a part of it"),
        format!("为通常值的 {low}~{high} 倍或其倒数即可疑"),
    )
}

/// Tells how far values may lie apart.
pub(super) fn tolerance(of: Tolerance, unit: &str) -> String {
    let share = format!("{} %", number(of.share * 100.0));
    match (of.absolute > 0.0, of.share > 0.0) {
        (true, true) => format!("{} + {share}", with(number(of.absolute), unit)),
        (false, true) => share,
        (_, false) => with(number(of.absolute), unit),
    }
}

/// Tells how far a sensor may have drifted.
pub(super) fn drift(of: Tolerance, unit: &str) -> Text {
    let apart = tolerance(of, unit);
    Text::new(
        format!("suspect if more than {apart} off by the next calibration"),
        format!("与下次校准结果相差超过 {apart} 即可疑"),
    )
}

/// Tells what a counter is that falls.
pub(super) fn counter(falls: Falls, unit: &str) -> Text {
    let by = with(number(falls.tolerance), unit);
    let (en, zh) =
        if falls.flag == Flag::Fail { ("fail", "错误") } else { ("suspect", "可疑") };
    Text::new(
        format!(
            "{en} if it fell by more than {by}, and neither passed its range nor was exchanged"
        ),
        format!("读数下降超过 {by}，且非满量程翻转或换表，即{zh}"),
    )
}

/// Tells how far a jump may lie from what the neighbour shows.
pub(super) fn neighbour(of: Tolerance, unit: &str) -> Text {
    let apart = tolerance(of, unit);
    Text::new(
        format!("suspect after a jump, if more than {apart} from all that the neighbour showed"),
        format!("突变后与上下游站同水团数值相差超过 {apart} 即可疑"),
    )
}

/// Tells the row of a season.
pub(super) fn climate(row: Climate, unit: &str) -> String {
    let (season, first, last) = row.season;
    let named = Season::ALL.iter().find(|(_, one)| *one == season).map_or("", |(name, _)| name);
    let mut words = format!("{named} {first} to {last}");
    if let Some((low, high)) = row.companion {
        words.push_str(&format!(", companion {} to {}", number(low), number(high)));
    }
    format!("{words}: {}", gross_range(row.span, unit).en)
}

/// Tells what a check of several properties asks.
pub(super) fn check(check: &CrossCheck) -> Text {
    let CrossCheck { name, kind, text, .. } = check;
    match kind {
        CrossKind::Expression { fail, suspect, .. } => {
            let en = bounds([("fail", *fail), ("suspect", *suspect)], ("below", "above"));
            let zh = bounds([("错误：", *fail), ("可疑：", *suspect)], ("低于", "高于"));
            Text::new(format!("{name}, {text}: {en}"), format!("{name}，{text}：{zh}"))
        }
        CrossKind::Repeats { samples } => Text::new(
            format!("{name}: {samples} samples of all items are the same"),
            format!("{name}：各项目连续 {samples} 个样品结果相同"),
        ),
    }
}

/// Tells the same in words: a check by its name, without what it reckons.
pub(super) fn named_check(of: &CrossCheck) -> Text {
    let CrossKind::Expression { fail, suspect, .. } = &of.kind else { return check(of) };
    let name = of.name.replace('-', " ");
    let en = bounds([("fail", *fail), ("suspect", *suspect)], ("below", "above"));
    let zh = bounds([("错误：", *fail), ("可疑：", *suspect)], ("低于", "高于"));
    Text::new(format!("{name}: {en}"), format!("{name}：{zh}"))
}

fn bounds(of: [(&str, OneSided); 2], (below, above): (&str, &str)) -> String {
    let told = of.into_iter().flat_map(|(flag, side)| {
        let low = side.low.map(|low| format!("{flag} {below} {}", number(low)));
        let high = side.high.map(|high| format!("{flag} {above} {}", number(high)));
        [low, high].into_iter().flatten()
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_needless_digits() {
        let cases = [(2.0, "2"), (0.125, "0.125"), (0.1 + 0.2, "0.3"), (-0.5, "-0.5"), (0.0, "0")];
        for (value, want) in cases {
            assert_eq!(number(value), want);
        }
        assert_eq!(number(0.000_02), "2.000e-5");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let cases = [(24 * HOUR, "24 h"), (5 * MINUTE, "5 min"), (90 * SECOND, "90 s")];
        for (ms, want) in cases.into_iter().chain([(3 * DAY, "3 d"), (5_400_000, "90 min")]) {
            assert_eq!(length(ms), want);
        }
        assert_eq!(length(2 * HOUR + 90 * SECOND), "7290 s");
    }

    #[track_caller]
    fn check(told: &Text, en: &str, zh: &str) {
        assert_eq!((&*told.en, &*told.zh), (en, zh));
    }

    #[test]
    fn thresholds_are_said_in_both_languages() {
        let suspect = Thresholds { suspect: Some(2.0), fail: None };
        let asked = Spike { method: SpikeMethod::Differential, thresholds: suspect };
        check(
            &spike(asked, "mg/L"),
            "suspect above 2 mg/L (differential)",
            "可疑 高于 2 mg/L（与较近一侧之差）",
        );
        let spans = GrossRange { fail: Some((0.0, 14.0)), suspect: Some((5.5, 9.8)) };
        check(
            &gross_range(spans, ""),
            "fail outside 0 to 14, suspect outside 5.5 to 9.8",
            "0~14 超出即错误，5.5~9.8 超出即可疑",
        );
        let rate = Rate {
            thresholds: Thresholds { suspect: Some(3.0 / 3600.0), fail: None },
            relative: false,
            noise: 0.6,
        };
        check(
            &rate_of_change(rate, "mg/L"),
            "suspect above 3 mg/L/h, a change of up to 0.6 mg/L is noise",
            "可疑 高于 3 mg/L/h，变化不超过 0.6 mg/L 视为噪声",
        );
        let share = Tolerance { absolute: 0.3, share: 0.5 };
        check(
            &drift(share, "mg/L"),
            "suspect if more than 0.3 mg/L + 50 % off by the next calibration",
            "与下次校准结果相差超过 0.3 mg/L + 50 % 即可疑",
        );
    }
}

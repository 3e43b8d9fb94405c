//! The Chinese sentence.

mod cause;
mod further;

use crate::domain::alert::{AlertChange, Severity, Subject, WeirCondition};
use crate::domain::assessment::Bound;
use crate::domain::observation::Period;
use crate::domain::quality::Test;
use crate::domain::time::{MINUTE, PhenomenonTime, SECOND};

use super::{Behind, Days, Kind, Scene, Topic, one_name};

const DAYS: Days = Days { day: "%-m月%-d日", year: "%Y年%-m月%-d日" };

impl Scene<'_> {
    /// Gives the Chinese sentence, without a full stop.
    pub(in crate::notify) fn chinese(&self) -> String {
        let since = self.clock(self.event.since, &DAYS);
        let until = self.clock(self.until(), &DAYS);
        let who = self.who_chinese();
        let property = self.property.map_or("", |property| &property.name_zh);
        let mut text = match (self.event.change, self.topic) {
            (AlertChange::Withdrawn, _) => format!(
                "{who}：自{since}起的告警已撤销，其规则或对象已变更或从种子表中移除，无法判断是否已恢复"
            ),
            (_, Topic::Instrument) => self.of_instrument_zh(&who, (&since, &until)),
            (_, Topic::Rise) => self.of_rise_zh(&who, (&since, &until)),
            (_, Topic::NotAssessable) => self.of_unassessable_zh(&who, (&since, &until)),
            (_, Topic::Index) => self.of_index_zh(&who, (&since, &until)),
            (AlertChange::Past, _) => format!(
                "{who}：{since}至{until}曾{}{}，起初{}；通知前已恢复，从消息服务器积压数据中发现",
                if self.event.share.is_some() { self.near_zh() } else { self.against_zh(false) },
                self.basis_zh(),
                self.said_zh()
            ),
            (AlertChange::Fired | AlertChange::Changed, Topic::Exceedance) => {
                let revised = if self.event.revised { "（数值经修正）" } else { "" };
                let (standing, exceeds) = (self.standing_zh(), self.exceeds_zh());
                format!("{who}{standing}：{exceeds}{}{revised}", self.since_zh("；", &since))
            }
            (AlertChange::Resolved, Topic::Exceedance) if self.counts_no_more() => {
                format!(
                    "{who}：撤回告警：{}已判无效{}，自{since}起的告警无有效数据支持",
                    self.said_zh(),
                    self.why_it_counts_no_more_zh()
                )
            }
            (AlertChange::Resolved, Topic::Exceedance) => format!(
                "{who}：{}，不再{}{}；{}",
                self.said_zh(),
                if self.warns { self.near_zh() } else { self.against_zh(false) },
                self.basis_zh(),
                if self.is_taken_back() {
                    "原数值已修正".to_owned()
                } else {
                    format!("持续时段为{since}至{until}")
                }
            ),
            (AlertChange::Fired | AlertChange::Changed, Topic::Silence) => {
                let (expected, offline) = (self.expected_zh(), self.offline_zh());
                let said = format!("{}{}", self.since_zh("", &since), self.behind_zh());
                let said = said.trim_start_matches('，');
                format!("{who}：{said}无{property}数据{expected}{offline}")
            }
            (AlertChange::Resolved, Topic::Silence) => {
                format!("{who}：{property}数据已恢复，中断时间为{since}至{until}")
            }
            (AlertChange::Fired | AlertChange::Changed, Topic::Weir(condition)) => {
                format!("weir：{}{}", self.trouble_zh(condition), self.since_zh("，", &since))
            }
            (AlertChange::Resolved, Topic::Weir(condition)) => {
                format!("weir：已恢复（{}），时间为{since}至{until}", self.trouble_zh(condition))
            }
        };
        if let Some((station, over)) = self.upstream {
            let since = self.clock(over.since, &DAYS);
            let until = over.until.map(|until| self.clock(until, &DAYS));
            let lasted = until.map_or(format!("自{since}起超标"), |until| {
                format!("曾于{since}至{until}超标")
            });
            text.push_str(&format!("，上游{}{lasted}", station.name_zh));
        }
        if self.event.unconfirmed {
            text.push_str(&self.unconfirmed_zh());
        }
        text
    }

    /// `；自12:00起`; nothing where that stands beside.
    fn since_zh(&self, before: &str, since: &str) -> String {
        if self.in_row { String::new() } else { format!("{before}自{since}起") }
    }

    /// `（续报，严重，已证实）`, of what was told before, is more severe than its rule, or was told as
    /// unconfirmed.
    fn standing_zh(&self) -> String {
        let again = (self.event.change == AlertChange::Changed).then_some("续报");
        let severity = self.event.severity.filter(|_| !self.in_row).map(Severity::word_zh);
        let confirmed = self.event.confirmed.then_some("已证实");
        let words: Vec<&str> = again.into_iter().chain(severity).chain(confirmed).collect();
        if words.is_empty() { String::new() } else { format!("（{}）", words.join("，")) }
    }

    /// `（待核实：仅一个样品，下一样品为16:00）`.
    fn unconfirmed_zh(&self) -> String {
        match (self.event.cause, self.event.change, self.next_sample()) {
            (_, AlertChange::Resolved, _) => String::from("（未经其他数据证实）"),
            (Some(_), _, _) => format!("（待核实，数值存疑：{}）", self.fault_name_zh()),
            (None, AlertChange::Past, Some(_)) => String::from("（待核实：仅一个样品）"),
            (None, _, Some(next)) => {
                let next = self.clock(next, &DAYS);
                format!("（待核实：仅一个样品，下一样品为{next}）")
            }
            (None, _, None) => String::from("（待核实）"),
        }
    }

    /// `（人工判为无效）`.
    fn why_it_counts_no_more_zh(&self) -> String {
        match self.event.cause.map(|cause| cause.test) {
            Some(Test::Person) => String::from("（人工判为无效）"),
            Some(_) => format!("（{}）", self.fault_name_zh()),
            None => String::new(),
        }
    }

    fn who_chinese(&self) -> String {
        match (self.gateway, self.network) {
            (Some(gateway), Some(network)) => return format!("{network}网关{gateway}"),
            (Some(gateway), None) => return format!("网关{gateway}"),
            (None, Some(network)) if self.topic == Topic::Silence => {
                return format!("网络{network}");
            }
            (None, _) => {}
        }
        match (self.place, self.station) {
            (Some(place), Some(station)) => one_name(&place.name_zh, &station.name_zh, ""),
            (None, Some(station)) => station.name_zh.to_string(),
            (Some(place), None) => place.name_zh.to_string(),
            (None, None) => match (self.event.subject, self.set) {
                (Subject::Weir { .. }, _) => String::from("weir"),
                (_, Some(set)) => format!("站组{}", set.name),
                (_, None) => format!("告警{}", self.event.alert.0),
            },
        }
    }

    /// `氨氮12:00样品1.620 mg/L，单项水质Ⅴ类，超Ⅳ类标准限值（1.5 mg/L）0.08倍，依据GB 3838-2002表1第7项；
    /// 前一样品（08:00）1.410 mg/L`.
    fn exceeds_zh(&self) -> String {
        let mut text = self.said_zh();
        if let Some(class) = self.event.class.filter(|_| self.event.share.is_none()) {
            text.push_str(&format!("，单项水质{}", class.name_zh()));
        }
        text.push_str(&format!("，{}", self.warned_zh().unwrap_or_else(|| self.against_zh(true))));
        text.push_str(&self.basis_zh());
        if let Some(before) = self.event.before {
            let (kind, when) = (self.kind_zh(), self.when_zh(before.span));
            text.push_str(&format!("；前一{kind}（{when}）{}", self.before_text()));
        }
        let beside: Vec<&str> = self.beside().map(values_of_zh).collect();
        if !beside.is_empty() {
            text.push_str(&format!("；{}亦超标", beside.join("、")));
        }
        text
    }

    /// `氨氮（进水口）12:00样品1.620 mg/L`.
    fn said_zh(&self) -> String {
        let when = self.event.span.map(|span| format!("{}{}", self.when_zh(span), self.kind_zh()));
        format!("{}{}{}", self.item_zh(), when.unwrap_or_default(), self.value_text())
    }

    /// `氨氮（进水口）`.
    fn item_zh(&self) -> String {
        let name = self.property.map_or("数值", |property| &property.name_zh);
        let position = self.of.map_or("", |datastream| &datastream.position);
        let at = if position.is_empty() { String::new() } else { format!("（{position}）") };
        format!("{name}{at}")
    }

    /// `样品`, `小时均值`, `日均值`.
    fn kind_zh(&self) -> &'static str {
        match (self.event.period, self.kind()) {
            (_, Kind::Sample) => "样品",
            (_, Kind::Least) => "最小值",
            (_, Kind::Greatest) => "最大值",
            (_, Kind::Total) => "累计值",
            (Period::Native, Kind::Instant) => "实测值",
            (Period::Native, Kind::Mean) => "均值",
            (period, Kind::Instant | Kind::Mean) => values_of_zh(period),
        }
    }

    /// `12:00`, `10:00–11:00`, `2026年3月1日`, `2026年3月`.
    fn when_zh(&self, span: PhenomenonTime) -> String {
        let Some(at) = self.civil(span.start()) else { return String::new() };
        match self.event.period {
            Period::Native | Period::Hour | Period::EightHours => self.clock_span(span, &DAYS),
            Period::Day | Period::DayMaxEightHours => at.strftime("%Y年%-m月%-d日").to_string(),
            Period::Month => at.strftime("%Y年%-m月").to_string(),
            Period::Quarter => format!("{}年第{}季度", at.year(), (at.month() + 2) / 3),
            Period::Year => format!("{}年", at.year()),
        }
    }

    /// `达到Ⅳ类标准限值（1.5 mg/L）的87 %（预警），尚未超标`, where it is only warned of.
    fn warned_zh(&self) -> Option<String> {
        let share = self.share()?;
        match self.limit?.bound {
            Bound::Max(_) => {
                let limit = self.limit_with("～");
                Some(format!(
                    "达到{}限值（{limit}）的{share}（预警），尚未超标",
                    self.standard_zh()
                ))
            }
            Bound::Min(_) | Bound::Range { .. } => {
                Some(format!("{}（预警），尚未超标", self.near_zh()))
            }
        }
    }

    fn near_zh(&self) -> String {
        format!("接近{}限值（{}）", self.standard_zh(), self.limit_with("～"))
    }

    /// `超Ⅳ类标准限值（1.5 mg/L）0.08倍`.
    fn against_zh(&self, with_multiple: bool) -> String {
        let Some(limit) = self.limit else { return String::from("超过限值") };
        let multiple = match (self.multiple(), self.event.multiple) {
            (Some(multiple), _) if with_multiple => format!("{multiple}倍"),
            (None, Some(_)) if with_multiple => String::from("不足0.01倍"),
            (_, _) => String::new(),
        };
        let side = match limit.bound {
            Bound::Max(_) => "超",
            Bound::Min(_) => "低于",
            Bound::Range { .. } => "超出",
        };
        format!("{side}{}限值（{}）{multiple}", self.standard_zh(), self.limit_with("～"))
    }

    /// `Ⅳ类标准`, `二级标准`.
    fn standard_zh(&self) -> String {
        let Some(limit) = self.limit else { return String::from("标准") };
        match (limit.water_class, &*limit.class) {
            (Some(class), _) => format!("{}标准", class.name_zh()),
            (None, "") => String::from("标准"),
            (None, "1") => String::from("一级标准"),
            (None, "2") => String::from("二级标准"),
            (None, "1A") => String::from("一级A标准"),
            (None, "1B") => String::from("一级B标准"),
            (None, class) => format!("{class}标准"),
        }
    }

    /// `，依据GB 3838-2002表1第7项`.
    fn basis_zh(&self) -> String {
        self.limit.map_or(String::new(), |limit| {
            format!("，依据{}{}", limit.instrument, clause_zh(&limit.clause))
        })
    }

    /// `，设备已于08:05离线`, where that was said.
    fn offline_zh(&self) -> String {
        let said = self.event.offline.map(|at| self.clock(at, &DAYS));
        said.map_or(String::new(), |at| format!("，设备已于{at}离线"))
    }

    /// `，其下20台设备（3个站点）均`, of a gateway or network.
    fn behind_zh(&self) -> String {
        let Behind { devices, stations } = self.behind;
        match self.event.subject {
            Subject::Device(_) => format!("，其下{devices}台设备（{stations}个站点）均"),
            Subject::Network(_) => {
                format!("，消息服务器已连接，但{devices}台设备（{stations}个站点）均")
            }
            Subject::Datastream(_)
            | Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. } => String::new(),
        }
    }

    fn expected_zh(&self) -> String {
        match self.expected_every_ms {
            Some(every) if every >= MINUTE && every % MINUTE == 0 => {
                format!("（应每{}分钟一次）", every / MINUTE)
            }
            Some(every) => format!("（应每{}秒一次）", every / SECOND),
            None => String::new(),
        }
    }

    /// `将于2026-12-20 16:00到期`.
    fn ends_zh(&self) -> String {
        let Some(until) = self.event.until else { return String::from("即将到期") };
        let date = self.date(until);
        if until <= self.event.at {
            format!("已于{date}到期")
        } else {
            format!("将于{date}到期")
        }
    }

    fn trouble_zh(&self, condition: WeirCondition) -> String {
        match (condition, self.network) {
            (WeirCondition::BrokerAway, Some(network)) => {
                format!("消息服务器{network}无应答，其数据在该处等待或丢失")
            }
            (WeirCondition::BrokerAway, None) => String::from("消息服务器无应答"),
            (WeirCondition::SinkAway, _) => String::from("InfluxDB无法写入，数据在本地日志中等待"),
            (WeirCondition::JournalFull, _) => {
                String::from("本地日志无法写入，在有空间之前不确认任何消息")
            }
            (WeirCondition::ChannelFailing, _) => String::from("通知渠道故障，其消息等待重发"),
            (WeirCondition::ClockStepped, _) => String::from("系统时钟发生跳变"),
            (WeirCondition::BrokerUnreadable, Some(network)) => {
                format!("消息服务器{network}反复发送无法读取的内容")
            }
            (WeirCondition::BrokerUnreadable, None) => {
                String::from("某消息服务器（见页面）反复发送无法读取的内容")
            }
            (WeirCondition::SessionTaken, Some(network)) => {
                format!("消息服务器{network}反复终止weir的会话，可能有其他客户端使用同一client_id")
            }
            (WeirCondition::SessionTaken, None) => String::from(
                "某消息服务器（见日志）反复终止weir的会话，可能有其他客户端使用同一client_id",
            ),
            (WeirCondition::PointsDamaged, _) => {
                String::from("本地日志中有数据点损坏，无法写入InfluxDB，其余数据点照常写入")
            }
            (WeirCondition::JournalDamaged, _) => {
                String::from("本地日志已损坏并移至一旁，已新建日志；尚未送出的数据只存在于旧文件中")
            }
            (WeirCondition::BrokerDropping, network) => {
                format!("消息服务器{}丢弃消息，其某客户端的队列已满", network.unwrap_or_default())
            }
            (WeirCondition::DeadLettersRising, _) => {
                String::from("大量消息被拒收，明细和原因见weir dead-letters")
            }
            (WeirCondition::JournalFilling, _) => {
                String::from("本地日志将满，达到上限后不再确认任何消息")
            }
            (WeirCondition::CertificateEnding, Some(network)) => {
                format!("weir用于消息服务器{network}的证书（certificate_file）{}", self.ends_zh())
            }
            (WeirCondition::CertificateEnding, None) => {
                format!("weir页面的证书（[http] certificate_file）{}", self.ends_zh())
            }
            (WeirCondition::AuthorityEnding, Some(network)) => {
                format!("验证消息服务器{network}的CA证书（ca_file）{}", self.ends_zh())
            }
            (WeirCondition::AuthorityEnding, None) => {
                format!("验证数据库或通知渠道的CA证书（ca_file）{}", self.ends_zh())
            }
            (WeirCondition::ServerCertificateEnding, network) => {
                format!("消息服务器{}的证书{}", network.unwrap_or_default(), self.ends_zh())
            }
            (WeirCondition::FilterRefused, Some(network)) => {
                format!("消息服务器{network}拒绝订阅某主题过滤器，收不到相应数据")
            }
            (WeirCondition::FilterRefused, None) => {
                String::from("某消息服务器（见页面）拒绝订阅某主题过滤器，收不到相应数据")
            }
        }
    }
}

/// Gives what the values of a period are called.
fn values_of_zh(period: Period) -> &'static str {
    match period {
        Period::Native => "实测值",
        Period::Hour => "小时均值",
        Period::EightHours => "8小时滑动均值",
        Period::Day => "日均值",
        Period::DayMaxEightHours => "日最大8小时均值",
        Period::Month => "月均值",
        Period::Quarter => "季均值",
        Period::Year => "年均值",
    }
}

/// Gives a clause as it is cited in Chinese: `table 1 item 7` is `表1第7项`. What the words of the
/// seeds do not say so stays as it stands.
pub fn clause_zh(clause: &str) -> String {
    const PHRASES: [(&str, &str); 4] = [
        ("daily maximum 8 h mean", "日最大8小时平均"),
        ("in brackets", "括号内数值"),
        ("day", "昼间"),
        ("night", "夜间"),
    ];
    let phrased = PHRASES.iter().fold(clause.to_owned(), |text, (en, zh)| text.replace(en, zh));
    let mut cited = String::new();
    let mut words = phrased.split(' ');
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap_or_default();
        match word {
            "table" => cited.push_str(&format!("表{}", next())),
            "annex" => cited.push_str(&format!("附录{}", next())),
            "item" => cited.push_str(&format!("第{}项", next())),
            _ if word.is_ascii() => cited.push_str(&format!(" {word}")),
            _ => cited.push_str(word),
        }
    }
    cited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_cited_as_the_standards_number_it() {
        let check = |clause, want: &str| assert_eq!(clause_zh(clause), want);
        check("table 1 item 7", "表1第7项");
        check("table 1 daily maximum 8 h mean", "表1日最大8小时平均");
        check("table 1 night", "表1夜间");
        check("annex A", "附录A");
        check("4.1", " 4.1");
    }
}

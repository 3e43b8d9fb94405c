//! The Chinese sentence.

use crate::domain::alert::{AlertChange, Subject, WeirCondition};
use crate::domain::assessment::Bound;
use crate::domain::time::{MINUTE, SECOND};

use super::{Scene, Topic};

impl Scene<'_> {
    /// Gives the Chinese sentence, without a full stop.
    pub(in crate::notify) fn chinese(&self) -> String {
        let since = self.clock(self.event.since);
        let until = self.clock(self.event.at);
        let who = self.who_chinese();
        let property = self.property.map_or("", |property| &property.name_zh);
        let mut text = match (self.event.change, self.topic) {
            (AlertChange::Withdrawn, _) => format!(
                "{who}：自{since}起的报警已撤销，其规则或对象已从种子表中移除，无法判断是否已恢复"
            ),
            (AlertChange::Past, _) => format!(
                "{who}：{since}至{until}曾{}，起初{}；通知前已恢复，从消息服务器积压数据中发现",
                self.against_zh(false),
                self.said_zh()
            ),
            (AlertChange::Fired, Topic::Exceedance) => {
                format!("{who}：{}，{}，自{since}起", self.said_zh(), self.against_zh(true))
            }
            (AlertChange::Resolved, Topic::Exceedance) => format!(
                "{who}：{}，不再{}，此前持续时间为{since}至{until}",
                self.said_zh(),
                self.against_zh(false)
            ),
            (AlertChange::Fired, Topic::Silence) => {
                format!("{who}：自{since}起无{property}数据{}", self.expected_zh())
            }
            (AlertChange::Resolved, Topic::Silence) => {
                format!("{who}：{property}数据已恢复，中断时间为{since}至{until}")
            }
            (AlertChange::Fired, Topic::Weir(condition)) => {
                format!("weir：{}，自{since}起", self.trouble_zh(condition))
            }
            (AlertChange::Resolved, Topic::Weir(condition)) => {
                format!("weir：已恢复（{}），时间为{since}至{until}", self.trouble_zh(condition))
            }
        };
        if let Some((station, since)) = self.upstream {
            text.push_str(&format!("，上游{}自{}起超标", station.name_zh, self.clock(since)));
        }
        if self.event.unconfirmed {
            text.push_str("（待核实：数值存疑）");
        }
        text
    }

    fn who_chinese(&self) -> String {
        match (self.place, self.station) {
            (Some(place), Some(station)) => format!("{}{}", place.name_zh, station.name_zh),
            (None, Some(station)) => station.name_zh.to_string(),
            (_, None) => match self.event.subject {
                Subject::Weir { .. } => String::from("weir"),
                Subject::Datastream(_) | Subject::Station(_) => {
                    format!("报警{}", self.event.alert.0)
                }
            },
        }
    }

    fn said_zh(&self) -> String {
        let name = self.property.map_or("数值", |property| &property.name_zh);
        let position = self.datastream.map_or("", |datastream| &datastream.position);
        let at = if position.is_empty() { String::new() } else { format!("（{position}）") };
        format!("{name}{at} {}", self.value_text()).trim_end().to_owned()
    }

    fn against_zh(&self, with_multiple: bool) -> String {
        let Some(limit) = self.limit else { return String::from("超过限值") };
        let class = match (limit.water_class, &*limit.class) {
            (Some(class), _) => format!("{}类标准", class.name()),
            (None, "") => String::from("标准限值"),
            (None, class) => format!("{class}标准"),
        };
        let multiple = self.multiple().filter(|_| with_multiple);
        let multiple = multiple.map_or(String::new(), |multiple| format!("{multiple}倍"));
        let (side, number) = match limit.bound {
            Bound::Max(limit) => ("超过", limit.to_string()),
            Bound::Min(limit) => ("低于", limit.to_string()),
            Bound::Range { low, high } => ("超出", format!("{low}～{high}")),
        };
        format!("{side}{class}{multiple}（{}，限值{number}）", self.clause())
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
            (WeirCondition::FilterRefused, Some(network)) => {
                format!("消息服务器{network}拒绝订阅某主题过滤器，收不到相应数据")
            }
            (WeirCondition::FilterRefused, None) => {
                String::from("某消息服务器（见页面）拒绝订阅某主题过滤器，收不到相应数据")
            }
        }
    }
}

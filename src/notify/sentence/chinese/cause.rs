//! What quality control found, in Chinese: the fault, what to check first, and a name for it.

use crate::domain::alert::AlertChange;
use crate::domain::cause::{Cause, Found};
use crate::domain::check::{ByCheck, CheckKind};
use crate::domain::quality::{Flag, Test};
use crate::domain::time::Timestamp;

use super::super::{Scene, clock_off, lasting};
use super::DAYS;

const UNITS: [&str; 4] = ["天", "小时", "分钟", "秒"];

impl Scene<'_> {
    /// What is told of an instrument.
    pub(super) fn of_instrument_zh(&self, who: &str, (since, until): (&str, &str)) -> String {
        let fault = self.fault_zh();
        match self.event.change {
            AlertChange::Fired | AlertChange::Withdrawn | AlertChange::Changed => {
                let again =
                    if self.event.change == AlertChange::Changed { "（续报）" } else { "" };
                // A check says itself since when.
                let since = match self.event.cause {
                    Some(Cause { found: Found::Check(_), .. }) => String::new(),
                    Some(_) | None => self.since_zh("；", since),
                };
                format!("{who}{again}：{fault}{since}。{}", self.check_first_zh())
            }
            AlertChange::Past => format!(
                "{who}：{since}至{until}，{fault}；通知前已恢复，从消息服务器积压数据中发现"
            ),
            AlertChange::Resolved => {
                let name = self.fault_name_zh();
                let now = match self.event.value {
                    Some(_) => format!("{}，数据已恢复正常", self.said_zh()),
                    None => String::from("数据已恢复正常"),
                };
                format!("{who}：{now}；故障（{name}）持续时段为{since}至{until}")
            }
        }
    }

    /// `恒值：溶解氧已12小时不变，为6.80 mg/L`.
    fn fault_zh(&self) -> String {
        let Some(cause) = self.event.cause else { return String::from("仪器故障") };
        let (item, said, value) = (self.item_zh(), self.said_zh(), self.value_text());
        let long = |millis| lasting(millis, UNITS, "");
        match cause.found {
            Found::Outside(low, high) => {
                let span = self.span_text("～", (low, high));
                format!("{said}，超出{}（{span}）", span_of(&cause))
            }
            Found::ClockOff(off) => {
                format!(
                    "设备时钟错误：{}{}",
                    if off > 0 { "快" } else { "慢" },
                    long(clock_off(off))
                )
            }
            Found::Unchanged(millis) if cause.test == Test::StaleAnalyser => {
                format!("分析仪数据陈旧：{item}各样品{}均为{value}", long(millis))
            }
            Found::Unchanged(millis) => format!("恒值：{item}已{}不变，为{value}", long(millis)),
            Found::Cold(temperature) => {
                format!("探头结冰或露出水面：{said}，水温{temperature:.1} °C")
            }
            Found::Times(times) => {
                let times = match times >= 1.0 {
                    true => format!("{times}倍"),
                    false => format!("1/{}", (1.0 / times).round()),
                };
                format!("单位有误：{said}，约为前值{}的{times}", self.before_text())
            }
            Found::AboveRange(_) => format!("量程过小：{item}超出仪器量程，{value}"),
            Found::Check(check) => self.failed_check_zh(&check, cause.since),
            Found::Nothing => self.fault_plainly_zh(&cause),
        }
    }

    /// `氨氮02:30跨度核查不合格：测得1.620，应为2.000 ± 0.200 mg/L；自00:30起的数据存疑`.
    fn failed_check_zh(&self, check: &ByCheck, since: Timestamp) -> String {
        let (kind, found) = match check.kind {
            CheckKind::Zero => ("零点核查", "测得"),
            CheckKind::Span => ("跨度核查", "测得"),
            CheckKind::StandardSample => ("标样核查", "测得"),
            CheckKind::SpikeRecovery => ("加标回收", "回收率"),
            CheckKind::ParallelSample => ("平行样测试", "测得"),
        };
        let (value, passes) = self.check_texts(check, "～");
        let [at, since] = [check.at, since].map(|at| self.clock(at, &DAYS));
        let item = self.item_zh();
        format!("{item}{at}{kind}不合格：{found}{value}，应为{passes}；自{since}起的数据存疑")
    }

    /// The same without numbers of the test.
    fn fault_plainly_zh(&self, cause: &Cause) -> String {
        let (item, said, value) = (self.item_zh(), self.said_zh(), self.value_text());
        match cause.test {
            Test::GrossRange => format!("{said}，超出{}", span_of(cause)),
            Test::Clock => String::from("设备时钟错误"),
            Test::FlatLine => format!("恒值：{item}一直在{value}附近"),
            Test::StaleAnalyser => format!("分析仪数据陈旧：{said}与之前样品相同"),
            Test::OutOfWater => format!("探头露出水面：{said}"),
            Test::UnitMistake => format!("单位有误：{said}"),
            Test::DeviceMark if cause.flag == Flag::Fail => format!("设备自身标记{said}无效"),
            Test::DeviceMark => format!("设备自身标记{said}存疑"),
            Test::Spike => format!("尖峰：{said}，与前后数值相差过大"),
            Test::RateOfChange => format!("突变：{said}，前值{}，变化过快", self.before_text()),
            Test::AttenuatedSignal => format!("信号衰减：{item}几乎无波动，现为{value}"),
            Test::MultiVariate => format!("参数矛盾：{said}，与同站其他因子不符"),
            Test::Drift => format!("漂移：{item}偏离上次校准或核查"),
            Test::Counter => {
                format!("读数倒退：{said}，低于前一读数{}", self.before_text())
            }
            Test::ControlCheck => format!("{item}质控核查不合格"),
            Test::Neighbour => format!("{said}，与相邻站点均不符"),
            Test::Climatology
            | Test::TimingGap
            | Test::Members
            | Test::SiteCalendar
            | Test::Person
            | Test::Missing => format!("{said}，{}", self.fault_name_zh()),
        }
    }

    /// Gives a short name: `恒值`, `超出传感器量程`.
    pub(super) fn fault_name_zh(&self) -> String {
        let Some(cause) = self.event.cause else { return String::from("仪器故障") };
        let name = match cause.test {
            Test::GrossRange => {
                let Found::Outside(low, high) = cause.found else {
                    return format!("超出{}", span_of(&cause));
                };
                let span = self.span_text("～", (low, high));
                return format!("超出{}（{span}）", span_of(&cause));
            }
            Test::DeviceMark if cause.is_range() => "量程过小",
            Test::Missing => "缺测",
            Test::Clock => "设备时钟错误",
            Test::Members => "由存疑数值得出",
            Test::Climatology => "与季节不符",
            Test::Spike => "尖峰",
            Test::RateOfChange => "变化过快",
            Test::FlatLine => "恒值",
            Test::AttenuatedSignal => "信号衰减",
            Test::TimingGap => "数据中断之后",
            Test::MultiVariate => "与其他因子矛盾",
            Test::Neighbour => "与相邻站点不符",
            Test::DeviceMark => "设备标记",
            Test::StaleAnalyser => "分析仪数据陈旧",
            Test::OutOfWater => "探头露出水面",
            Test::UnitMistake => "单位有误",
            Test::Drift => "漂移",
            Test::Counter => "读数倒退",
            Test::ControlCheck => "质控核查不合格",
            Test::SiteCalendar => "站点日历",
            Test::Person => "人工存疑",
        };
        name.to_owned()
    }

    /// Gives what the technician looks at first.
    fn check_first_zh(&self) -> &'static str {
        let Some(cause) = self.event.cause else { return "请检查仪器" };
        match cause.test {
            Test::GrossRange => "请先检查电缆、接头和传感器探头",
            Test::Clock => "请先检查数采仪时间、时区和校时服务",
            Test::FlatLine => "请先检查探头是否污堵或卡死、水泵是否运行",
            Test::AttenuatedSignal => "请先检查探头是否污堵或露出水面",
            Test::StaleAnalyser => "请先检查采样泵、试剂和分析仪状态",
            Test::OutOfWater => "请先检查取水口水位和探头深度",
            Test::UnitMistake => "请先核对设备单位设置与profiles.csv",
            Test::DeviceMark if cause.is_range() => "请调大量程或稀释；数值本身并非故障",
            Test::DeviceMark => "请先查看设备自身显示",
            Test::Spike => "请先检查电缆、气泡和供电",
            Test::RateOfChange => "请先检查电缆以及现场是否有人作业",
            Test::MultiVariate => "请先用标准样品核查两个传感器",
            Test::Drift => "请先清洗并校准传感器",
            Test::Counter => "请先核实是否换表（counters.csv需增加一行）或仪表重启",
            Test::ControlCheck => "请先检查标样和试剂并重做核查",
            Test::Neighbour => "请先用便携式仪器比对",
            Test::Climatology
            | Test::TimingGap
            | Test::Members
            | Test::SiteCalendar
            | Test::Person
            | Test::Missing => "请检查仪器",
        }
    }
}

fn span_of(cause: &Cause) -> &'static str {
    if cause.flag == Flag::Fail { "传感器量程" } else { "本站预期范围" }
}

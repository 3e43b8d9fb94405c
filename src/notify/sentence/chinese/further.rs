//! What has no limit of its own, in Chinese: a value that changes fast, values that can't be
//! assessed, what several items come to.

use crate::domain::alert::AlertChange;
use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Grade, Index};
use crate::domain::registry::{RuleKind, Slope, Worse};

use super::super::{Scene, grade_word, lasting};

const UNITS: [&str; 4] = ["天", "小时", "分钟", "秒"];

impl Scene<'_> {
    /// `：氨氮12:00样品1.810 mg/L（08:00为0.620 mg/L），4小时内上升超过0.5 mg/L；自12:00起`.
    pub(super) fn of_rise_zh(&self, who: &str, (since, until): (&str, &str)) -> String {
        let (slope, over) = match self.kind_of_rule {
            Some(RuleKind::Rise { slope, over_ms, .. }) => (Some(slope), over_ms),
            Some(_) | None => (None, 0),
        };
        let over = lasting(over, UNITS, "");
        let by = match slope {
            Some(Slope::Rises(by)) => format!("上升超过{}", self.number_text(by)),
            Some(Slope::Falls(by)) => format!("下降超过{}", self.number_text(by)),
            Some(Slope::Times(times)) => format!("升至{times}倍以上"),
            None => String::from("变化过快"),
        };
        match self.event.change {
            AlertChange::Resolved => format!(
                "{who}：{}，变化已趋缓（标准：{over}内{by}）；持续时段为{since}至{until}",
                self.said_zh()
            ),
            AlertChange::Past => format!(
                "{who}：{}于{since}至{until}曾{over}内{by}；通知前已恢复，从消息服务器积压数据中发现",
                self.item_zh()
            ),
            AlertChange::Fired | AlertChange::Changed | AlertChange::Withdrawn => {
                let before = self.event.before.map_or(String::new(), |before| {
                    format!("（{}为{}）", self.when_zh(before.span), self.before_text())
                });
                let since = self.since_zh("；", since);
                format!("{who}：{}{before}，{over}内{by}{since}", self.said_zh())
            }
        }
    }

    /// `：氨氮有数据但无法评价（未通过质量控制）；自08:00起`.
    pub(super) fn of_unassessable_zh(&self, who: &str, (since, until): (&str, &str)) -> String {
        let item = self.item_zh();
        match self.event.change {
            AlertChange::Resolved => {
                format!("{who}：{}已可评价；无法评价时段为{since}至{until}", self.said_zh())
            }
            AlertChange::Past => {
                format!("{who}：{item}于{since}至{until}曾无法评价，从消息服务器积压数据中发现")
            }
            AlertChange::Fired | AlertChange::Changed | AlertChange::Withdrawn => {
                let reason = self.event.reason.map_or("", reason_zh);
                let since = self.since_zh("；", since);
                format!("{who}：{item}有数据但无法评价（{reason}）{since}")
            }
        }
    }

    /// `浑南空气站：空气质量指数230（重度污染），10:00–11:00，首要因子细颗粒物，达到中度污染或更差；自09:00起`.
    pub(super) fn of_index_zh(&self, who: &str, (since, until): (&str, &str)) -> String {
        let Some(index) = self.index else {
            return format!("{who}：指数异常{}", self.since_zh("；", since));
        };
        let mut said = index_zh(index).to_owned();
        if let Some(value) = self.event.value {
            said.push_str(&self.index_number(value));
        }
        if let Some(grade) = self.event.grade {
            said.push_str(&format!("（{}）", grade_zh(grade)));
        }
        if let Some(span) = self.event.span {
            said.push_str(&format!("，{}", self.when_zh(span)));
        }
        let bad = match self.kind_of_rule {
            Some(RuleKind::Index { worse, .. }) => bad_zh(index, worse),
            Some(_) | None => String::from("异常"),
        };
        if self.event.change == AlertChange::Resolved {
            return format!("{who}：{said}，不再{bad}；持续时段为{since}至{until}");
        }
        if self.event.change == AlertChange::Past {
            return format!(
                "{who}：{since}至{until}曾{bad}，{said}；通知前已恢复，从消息服务器积压数据中发现"
            );
        }
        let standing = self.standing_zh();
        let by = self.deciding.map_or(String::new(), |item| format!("，首要因子{}", item.name_zh));
        let reason = self.event.reason.map(reason_zh);
        let reason = reason.map_or(String::new(), |reason| format!("（{reason}）"));
        format!("{who}{standing}：{said}{by}，{bad}{reason}{}", self.since_zh("；", since))
    }
}

fn bad_zh(index: Index, worse: Worse) -> String {
    match worse {
        Worse::Grade(grade) => match grade_word(index, grade) {
            Some(grade) => format!("达到{}或更差", grade_zh(grade)),
            None => String::from("异常"),
        },
        Worse::Above(limit) => format!("高于{limit}"),
        Worse::Below(limit) => format!("低于{limit}"),
        Worse::Missed => String::from("未达目标"),
        Worse::NotAssessable => String::from("无法评价"),
    }
}

fn grade_zh(grade: Grade) -> &'static str {
    let nth =
        |words: &[&'static str], at: u8| words.get(usize::from(at)).copied().unwrap_or_default();
    match grade {
        Grade::Water(class) => class.name_zh(),
        Grade::River(grade) => nth(&["", "优", "良好", "轻度污染", "中度污染", "重度污染"], grade),
        Grade::Air(grade) => {
            nth(&["", "优", "良", "轻度污染", "中度污染", "重度污染", "严重污染"], grade)
        }
        Grade::Trophic(state) => {
            nth(&["", "贫营养", "中营养", "轻度富营养", "中度富营养", "重度富营养"], state)
        }
        Grade::BlackOdour(state) => nth(&["无黑臭", "轻度黑臭", "重度黑臭"], state),
    }
}

fn index_zh(index: Index) -> &'static str {
    match index {
        Index::WaterClass => "水质类别",
        Index::Aqi => "空气质量指数",
        Index::Trophic => "综合营养状态指数",
        Index::BlackOdour => "黑臭水体评价",
        Index::Cwqi => "城市水质指数",
        Index::RiverGrade => "河流水质状况",
        Index::SupplyQuality => "供电电压合格率（%）",
        Index::PowerFactor => "功率因数",
        Index::Balance => "计量平衡差（%）",
        Index::WaterReuse => "工业用水重复利用率（%）",
        Index::Intensity => "单位工业增加值能耗（吨标准煤/万元）",
        Index::VoltageUnbalance => "电压不平衡合格率（%）",
        Index::StandardCoal => "综合能耗（吨标准煤）",
        Index::CarbonDioxide => "二氧化碳（吨）",
    }
}

fn reason_zh(reason: NotAssessable) -> &'static str {
    match reason {
        NotAssessable::NoLimit => "无适用限值",
        NotAssessable::NoneInForce => "无现行限值",
        NotAssessable::Quality => "数据未通过质量控制",
        NotAssessable::Missing => "数据缺失",
        NotAssessable::Censored => "限值位于检出范围之外",
        NotAssessable::Incomplete => "有效数据不足",
        NotAssessable::ConditionUnknown => "限值所依条件未知",
        NotAssessable::Indicative => "站点仅供参考",
        NotAssessable::TooFewItems => "有效项目不足",
    }
}

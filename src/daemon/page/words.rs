//! The page's words in both languages: what is evaluated, over what, and what came of it.

use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::evaluation::{Grade, Index};
use crate::domain::observation::Period;
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;
use crate::http::view::Text;

/// Names what is evaluated.
pub(super) fn index(index: Index) -> Text {
    let (en, zh) = match index {
        Index::WaterClass => ("water class", "水质类别"),
        Index::Aqi => ("AQI", "AQI"),
        Index::Trophic => ("trophic level index", "综合营养状态指数"),
        Index::BlackOdour => ("black and odorous water", "黑臭水体"),
        Index::Cwqi => ("city water quality index", "城市水质指数"),
        Index::RiverGrade => ("water quality", "水质状况"),
        Index::SupplyQuality => ("supply quality", "供电质量"),
        Index::PowerFactor => ("power factor", "功率因数"),
        Index::Balance => ("unmetered share", "未计量份额"),
        Index::WaterReuse => ("water reuse", "重复用水率"),
        Index::Intensity => ("energy per added value", "单位增加值能耗"),
        Index::VoltageUnbalance => ("voltage unbalance", "三相电压不平衡合格率"),
        Index::StandardCoal => ("standard coal", "综合能耗（标准煤）"),
        Index::CarbonDioxide => ("carbon dioxide of electricity", "用电二氧化碳排放"),
    };
    Text::new(en, zh)
}

/// Names a period; a real-time evaluation has none.
pub(super) fn period(period: Period) -> Text {
    let (en, zh) = match period {
        Period::Native => ("real time", "实时"),
        Period::Hour => ("hour", "小时"),
        Period::EightHours => ("eight hours", "8小时"),
        Period::DayMaxEightHours => ("day's largest eight hours", "日最大8小时"),
        Period::Day => ("day", "日"),
        Period::Month => ("month", "月"),
        Period::Quarter => ("quarter", "季"),
        Period::Year => ("year", "年"),
    };
    Text::new(en, zh)
}

/// Names a class as people write it.
pub(super) fn class(class: WaterClass) -> Text {
    let en = match class {
        WaterClass::WorseThanV => class.name().to_owned(),
        WaterClass::I | WaterClass::II | WaterClass::III | WaterClass::IV | WaterClass::V => {
            format!("class {}", class.name())
        }
    };
    Text::new(en, class.name_zh())
}

/// Names the class that a station must meet: one of water, or a zone of air.
pub(super) fn target(name: &str) -> Text {
    match WaterClass::from_name(name) {
        Some(of_water) => class(of_water),
        None if name.is_empty() => Text::default(),
        None => Text::new(format!("class {name}"), format!("{name}类区")),
    }
}

/// Names a grade; that of air as its edition does.
pub(super) fn grade(registry: &Registry, grade: Grade, at: Timestamp) -> Text {
    const RIVER: [&str; 5] = ["优", "良好", "轻度污染", "中度污染", "重度污染"];
    const TROPHIC: [&str; 5] = ["贫营养", "中营养", "轻度富营养", "中度富营养", "重度富营养"];
    const ODOUR: [&str; 3] = ["无黑臭", "轻度黑臭", "重度黑臭"];
    let nth = |words: &[&'static str], at: Option<u8>| {
        at.and_then(|at| words.get(usize::from(at))).copied().unwrap_or_default()
    };
    match grade {
        Grade::Water(of_water) => class(of_water),
        Grade::Air(number) => match registry.air.grade(number, at) {
            Some(named) => Text::new(&*named.name_en, &*named.name_zh),
            None => Text::same(grade.word()),
        },
        Grade::River(number) => {
            let pollution = if number > 2 { " pollution" } else { "" };
            let en = format!("{}{pollution}", grade.word());
            Text::new(en, nth(&RIVER, number.checked_sub(1)))
        }
        Grade::Trophic(state) => Text::new(grade.word(), nth(&TROPHIC, state.checked_sub(1))),
        Grade::BlackOdour(state) => Text::new(grade.word(), nth(&ODOUR, Some(state))),
    }
}

/// Writes the number of an index with its unit and as many decimals as people read.
pub(super) fn number(index: Index, value: f64) -> Text {
    match index {
        Index::Aqi => Text::same(format!("{value:.0}")),
        Index::Trophic
        | Index::Cwqi
        | Index::PowerFactor
        | Index::WaterClass
        | Index::BlackOdour => Text::same(format!("{value:.2}")),
        Index::RiverGrade => {
            Text::new(format!("{value:.1} % of classes I to III"), format!("Ⅰ～Ⅲ类占 {value:.1} %"))
        }
        Index::SupplyQuality | Index::VoltageUnbalance | Index::Balance | Index::WaterReuse => {
            Text::same(format!("{value:.1} %"))
        }
        Index::StandardCoal => Text::new(format!("{value:.3} tce"), format!("{value:.3} 吨标准煤")),
        Index::CarbonDioxide => Text::new(format!("{value:.3} t"), format!("{value:.3} 吨")),
        Index::Intensity => {
            Text::new(format!("{value:.3} tce per 10⁴ RMB"), format!("{value:.3} 吨标准煤/万元"))
        }
    }
}

/// Says why nothing could be said.
pub(super) fn reason(reason: NotAssessable) -> Text {
    let (en, zh) = match reason {
        NotAssessable::NoLimit => ("not assessable: no limit", "无法评价：无限值"),
        NotAssessable::NoneInForce => ("no limit in force then", "当时无有效限值"),
        NotAssessable::Quality => ("not assessable: quality", "无法评价：质量"),
        NotAssessable::Missing => ("not assessable: no value", "无法评价：缺测"),
        NotAssessable::Censored => ("not assessable: censored", "无法评价：未检出"),
        NotAssessable::Incomplete => ("not assessable: incomplete", "无法评价：不完整"),
        NotAssessable::ConditionUnknown => {
            ("not assessable: the limit's condition is unknown", "无法评价：限值条件未知")
        }
        NotAssessable::Indicative => ("indicative only", "仅供参考"),
        NotAssessable::TooFewItems => ("not assessable: too few items", "无法评价：项目不足"),
    };
    Text::new(en, zh)
}

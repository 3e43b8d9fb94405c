//! What came of what a person asked for, and why it was not done, in both languages: the shell and
//! programs say the English, the page that of its reader.

use crate::domain::desk::{END_MAX_MS, SILENCES_MAX};
use crate::domain::invalidation::{INVALIDATIONS_MAX, SPAN_MAX_MS};
use crate::domain::time::DAY;
use crate::http::view::Text;
use crate::seed::nearest;

/// How many numbers of alerts one sentence names; it counts the others.
const NAMED_MAX: usize = 20;

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub enum Came {
    /// Somebody looks after these alerts.
    Acknowledged(Vec<u64>),
    /// These have a comment.
    Commented(Vec<u64>),
    /// These wait for somebody again.
    Undone(Vec<u64>),
    /// Nobody is told of these for a while.
    Shelved(Vec<u64>),
    /// Nobody is told of what matches for a while.
    Silenced {
        /// The number of the silence.
        id: u64,
        /// What matches.
        of: Text,
    },
    /// So many silences of what alerts are about.
    SilencedAll(usize),
    /// A silence has ended.
    SilenceEnded(u64),
    /// The values of so many datastreams are judged.
    Blamed(usize),
    /// Values do not count, or are in doubt.
    Invalidated {
        /// The number of what is said.
        id: u64,
        /// The station.
        station: Text,
        /// The first instant, and the first after.
        span: [String; 2],
    },
    /// What was said of values holds no more.
    Revoked {
        /// Its number.
        id: u64,
        /// The station.
        station: Text,
        /// The first instant, and the first after.
        span: [String; 2],
    },
    /// What a check comes to, which the shell and programs enter.
    Checked(String),
    /// So many values are of another quality now.
    Judged(usize),
    /// Days that are recomputed.
    Recomputed {
        /// The first.
        first: String,
        /// The last.
        last: String,
    },
    /// Days before this one can't be recomputed.
    KeptSince(String),
    /// Dead letters were run again.
    Retried {
        /// How many.
        tried: usize,
        /// How many of them ended well.
        ended_well: usize,
    },
    /// There are more dead letters than one request runs again.
    MoreLetters(u32),
    /// A channel took a test.
    Tested {
        /// The channel.
        channel: String,
        /// The status, where there is one, and what the receiver said.
        answer: String,
    },
}

impl Came {
    /// Says it in both languages.
    #[must_use]
    pub fn words(&self) -> Text {
        match self {
            Self::Acknowledged(all) => of_alerts(all, "acknowledged", "已确认"),
            Self::Shelved(all) => of_alerts(all, "shelved", "已搁置"),
            Self::Commented(all) => {
                let Text { en, zh } = numbers(all);
                let has = if all.len() == 1 { "has" } else { "have" };
                Text::new(format!("{en} {has} a comment"), format!("告警 {zh} 已添加备注"))
            }
            Self::Undone(all) => {
                let Text { en, zh } = numbers(all);
                let wait = if all.len() == 1 { "waits" } else { "wait" };
                let en = format!("{en} {wait} for somebody again");
                Text::new(en, format!("告警 {zh} 恢复为待处理"))
            }
            Self::Silenced { id, of } => {
                Text::new(format!("silence {id}: {}", of.en), format!("静默 {id}：{}", of.zh))
            }
            Self::SilencedAll(count) => {
                let silences = if *count == 1 { "silence" } else { "silences" };
                let en = format!("{count} {silences}, one for each station and property");
                Text::new(en, format!("已设静默 {count} 条，每个站点的每个项目一条"))
            }
            Self::SilenceEnded(id) => {
                Text::new(format!("silence {id} has ended"), format!("静默 {id} 已结束"))
            }
            Self::Blamed(count) => {
                let of = if *count == 1 { "datastream" } else { "datastreams" };
                let en = format!("the values of {count} {of} from when each alert began");
                Text::new(en, format!("{count} 个数据流的数值，自各告警起始时间起"))
            }
            Self::Invalidated { id, station, span: [from, to] } => Text::new(
                format!("invalidation {id} of {}: from {from} to before {to}", station.en),
                format!("人工判定 {id}（{}）：自 {from} 起，至 {to} 前", station.zh),
            ),
            Self::Revoked { id, station, span: [from, to] } => Text::new(
                format!("{id} of {} is revoked: from {from} to before {to}", station.en),
                format!("已撤销人工判定 {id}（{}）：自 {from} 起，至 {to} 前", station.zh),
            ),
            Self::Checked(words) => Text::same(words.clone()),
            Self::Judged(values) => Text::new(
                format!("{values} values that are held are of another quality now"),
                format!("{values} 个现存数值的质量标识已改变"),
            ),
            Self::Recomputed { first, last } => recomputed(first, last),
            Self::KeptSince(day) => Text::new(
                format!(
                    "raw messages are kept only so long that days from {day} on can be \
                     recomputed; earlier ones stay as they are"
                ),
                format!("原始消息保存期有限，只能重算 {day} 及以后的日期，更早的保持不变"),
            ),
            Self::Retried { tried, ended_well } => Text::new(
                format!("{tried} tried, {ended_well} ended well"),
                format!("已重新解析 {tried} 条，成功 {ended_well} 条"),
            ),
            Self::MoreLetters(most) => Text::new(
                format!("there are more than {most}; ask again for the others"),
                format!("超过 {most} 条，其余请再次重新解析"),
            ),
            Self::Tested { channel, answer } => Text::new(
                format!("{channel}: confirmed{}", after(answer, " ")),
                format!("{channel}：对方已确认{}", after(answer, "，应答 ")),
            ),
        }
    }

    /// Says it on a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        self.words().en
    }
}

/// Why it was not done, with the mend.
#[derive(Clone, PartialEq, Debug)]
pub enum Refusal {
    /// A text is empty, too long or more than a line.
    NoLine {
        /// Which.
        field: Field,
        /// How many bytes it may have.
        most: usize,
    },
    /// Nothing is called so.
    Unknown {
        /// What is asked for.
        kind: Called,
        /// The name.
        name: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// No such alert is open.
    NoAlert(u64),
    /// An alert fires no more.
    Ended {
        /// The alert.
        alert: u64,
        /// How it ended.
        how: &'static str,
    },
    /// An alert has nothing to be undone.
    NotDone(u64),
    /// An alert is not about the values of one datastream.
    NoValues(u64),
    /// What an alert is about, a silence can't name.
    NoMatcher(u64),
    /// More alerts are named than are taken at once.
    TooMany(usize),
    /// No alert is named.
    NoneNamed,
    /// A silence of everything.
    SilenceOfAll,
    /// No more silences are held.
    SilencesFull,
    /// There is no such silence.
    NoSilence(u64),
    /// This is no end.
    NoEnd(String),
    /// An end in the past.
    Past(String),
    /// An end too far ahead.
    TooFar(String),
    /// This is no time.
    NoTime(String),
    /// The end of a span is not after its beginning.
    EndsFirst,
    /// A span that is too long.
    TooLong,
    /// The station does not measure it.
    NotMeasured {
        /// The station.
        station: String,
        /// What it has.
        has: String,
    },
    /// No more can be said of values.
    NoRoom,
    /// There is nothing of that number said of values.
    NoInvalidation(u64),
    /// It is revoked already.
    RevokedAlready {
        /// Its number.
        id: u64,
        /// By whom.
        person: String,
    },
    /// weir broke on it.
    Broke,
    /// What is wrong with a check, which the shell and programs enter.
    Check(String),
    /// Dead letters are named neither by numbers nor by a kind, or by both.
    Letters,
    /// A channel did not take a test.
    Untested {
        /// The channel.
        channel: String,
        /// Whether it may later.
        later: bool,
        /// The status, where there is one, and what the receiver said.
        answer: String,
    },
    /// It failed, as the system or a receiver says.
    Failed(String),
}

/// A text that a person gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// Who does it.
    Person,
    /// For whom.
    Behalf,
    /// What is to be known.
    Comment,
    /// Why.
    Reason,
}

/// What may be called by a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the words of the field")]
pub enum Called {
    Place,
    Station,
    Property,
    Rule,
    Route,
    Severity,
}

impl Refusal {
    /// Says that nothing is called so, and what is called nearly so.
    #[must_use]
    pub fn unknown<'a>(kind: Called, name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let near = nearest(name, known).map(str::to_owned);
        Self::Unknown { kind, name: name.to_owned(), near }
    }

    /// Says it in both languages, to whoever looks at the page.
    #[must_use]
    pub fn words(&self) -> Text {
        Text::new(self.english(), self.chinese())
    }

    /// Says it on a terminal, where what lists the names is a command.
    #[must_use]
    pub fn line(&self) -> String {
        let words = self.english();
        match self {
            Self::NoLine { field: Field::Behalf, .. } => words.replace("for whom", "of `--for`"),
            Self::NoAlert(_) => format!("{words}; see weir alerts ls"),
            Self::SilenceOfAll => "a silence of everything: say `--station`, `--place`, \
                `--property`, `--rule`, `--route`, or a `--severity` less than critical"
                .to_owned(),
            Self::NoSilence(_) => format!("{words}; see weir alerts silence ls"),
            Self::EndsFirst => format!("{words}; `--to` is the first instant that counts again"),
            Self::NoRoom => {
                format!("{words} (weir qc list), or put what lasts into calendar.csv of the seeds")
            }
            Self::NoInvalidation(_) => format!("{words}; see weir qc list"),
            Self::NoLine { .. }
            | Self::Unknown { .. }
            | Self::Ended { .. }
            | Self::NotDone(_)
            | Self::NoValues(_)
            | Self::NoMatcher(_)
            | Self::TooMany(_)
            | Self::NoneNamed
            | Self::SilencesFull
            | Self::NoEnd(_)
            | Self::Past(_)
            | Self::TooFar(_)
            | Self::NoTime(_)
            | Self::TooLong
            | Self::NotMeasured { .. }
            | Self::RevokedAlready { .. }
            | Self::Broke
            | Self::Check(_)
            | Self::Letters
            | Self::Untested { .. }
            | Self::Failed(_) => words,
        }
    }

    fn english(&self) -> String {
        match self {
            Self::NoLine { field, most } => {
                format!("the {} is a line of 1 to {most} bytes", field.words().en)
            }
            Self::Unknown { kind, name, near } => {
                let near = near
                    .as_ref()
                    .map_or(String::new(), |near| format!("; the nearest is `{near}`"));
                format!("no {} is called `{name}`{near}", kind.words().en)
            }
            Self::NoAlert(id) => format!("no alert {id} is open"),
            Self::Ended { alert, how } => format!("{alert} has ended: {how}"),
            Self::NotDone(id) => format!("{id} is neither acknowledged nor shelved"),
            Self::NoValues(id) => {
                format!("{id} is not about the values of one datastream; say it at the station")
            }
            Self::NoMatcher(id) => {
                format!("{id} is about no station or place that a silence could name; shelve it")
            }
            Self::TooMany(most) => format!("more than {most} alerts; name them in parts"),
            Self::NoneNamed => "no alert is chosen; choose those that are meant".to_owned(),
            Self::SilenceOfAll => "a silence of everything: name a station, place, property, \
                rule or route, or a severity less than critical"
                .to_owned(),
            Self::SilencesFull => format!("{SILENCES_MAX} silences are held, the most; end one"),
            Self::NoSilence(id) => format!("there is no silence {id}"),
            Self::NoEnd(text) => {
                format!("`{text}`: expected an end such as 8h, 2d or 2026-06-01T08:30")
            }
            Self::Past(text) => format!("`{text}`: the end is in the past"),
            Self::TooFar(text) => format!("`{text}`: more than {} days from now", END_MAX_MS / DAY),
            Self::NoTime(text) => {
                format!("`{text}`: expected a time: 2026-03-01, 2026-03-01T08:30 or now")
            }
            Self::EndsFirst => "the end is not after the beginning".to_owned(),
            Self::TooLong => {
                format!("more than {} days; say it of each year by itself", SPAN_MAX_MS / DAY)
            }
            Self::NotMeasured { station, has } => {
                format!("nothing of it is measured; {station} has {has}")
            }
            Self::NoRoom => {
                format!("{INVALIDATIONS_MAX} are held, the most; revoke one that is needed no more")
            }
            Self::NoInvalidation(id) => format!("there is no invalidation {id}"),
            Self::RevokedAlready { id, person } => {
                format!("invalidation {id} is revoked already, by {person}")
            }
            Self::Broke => "weir broke on it, and the log says where; nothing is said".to_owned(),
            Self::Check(words) | Self::Failed(words) => words.clone(),
            Self::Letters => "give either ids, or device, channel and code".to_owned(),
            Self::Untested { channel, later, answer } => {
                let how = if *later { "later" } else { "refused" };
                format!("{channel}: {how}{}", after(answer, " "))
            }
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::NoLine { field, most } => {
                let about = most / 3;
                let field = field.words().zh;
                format!("请填写{field}：一行文字，1 至 {most} 字节（约 {about} 个汉字）")
            }
            Self::Unknown { kind, name, near } => {
                let near =
                    near.as_ref().map_or(String::new(), |near| format!("，最接近的是“{near}”"));
                format!("没有名为“{name}”的{}{near}", kind.words().zh)
            }
            Self::NoAlert(id) => format!("没有未解除的告警 {id}"),
            Self::Ended { alert, how: "withdrawn" } => format!("告警 {alert} 已撤回"),
            Self::Ended { alert, .. } => format!("告警 {alert} 已解除"),
            Self::NotDone(id) => format!("告警 {id} 未确认也未搁置，无可撤销"),
            Self::NoValues(id) => {
                format!("告警 {id} 不针对单个数据流的数值，请在站点页面判定")
            }
            Self::NoMatcher(id) => {
                format!("告警 {id} 不属于站点或地点，无法设静默，请改用搁置")
            }
            Self::TooMany(most) => format!("超过 {most} 条告警，请分批处理"),
            Self::NoneNamed => "未选择告警，请先勾选".to_owned(),
            Self::SilenceOfAll => "不能静默全部告警：请指定站点、地点、项目、规则、路线，\
                或低于“严重”的级别"
                .to_owned(),
            Self::SilencesFull => format!("静默最多 {SILENCES_MAX} 条，请先结束一条"),
            Self::NoSilence(id) => format!("没有静默 {id}"),
            Self::NoEnd(text) => {
                format!("“{text}”：截止时间应形如 8h、2d 或 2026-06-01T08:30")
            }
            Self::Past(text) => format!("“{text}”：截止时间已过"),
            Self::TooFar(text) => {
                format!("“{text}”：截止时间不得超过 {} 天", END_MAX_MS / DAY)
            }
            Self::NoTime(text) => {
                format!("“{text}”：时间应形如 2026-03-01、2026-03-01T08:30 或 now")
            }
            Self::EndsFirst => "截止时间须晚于起始时间".to_owned(),
            Self::TooLong => format!("时段超过 {} 天，请逐年判定", SPAN_MAX_MS / DAY),
            Self::NotMeasured { station, has } => format!("该站点未监测此项；{station} 有 {has}"),
            Self::NoRoom => {
                format!("人工判定最多 {INVALIDATIONS_MAX} 条，请先撤销不再需要的")
            }
            Self::NoInvalidation(id) => format!("没有人工判定 {id}"),
            Self::RevokedAlready { id, person } => format!("人工判定 {id} 已由 {person} 撤销"),
            Self::Broke => "weir 处理时出错，位置见运行日志；未作任何判定".to_owned(),
            Self::Check(words) => words.clone(),
            Self::Failed(fault) => format!("操作失败：{fault}"),
            Self::Letters => "请指定异常报文编号，或设备、通道与原因".to_owned(),
            Self::Untested { channel, later, answer } => {
                let how = if *later { "对方暂不可用" } else { "对方拒绝" };
                format!("{channel}：{how}{}", after(answer, "，应答 "))
            }
        }
    }
}

impl Field {
    fn words(self) -> Text {
        match self {
            Self::Person => Text::new("person", "操作人"),
            Self::Behalf => Text::new("person for whom", "代办对象"),
            Self::Comment => Text::new("comment", "备注"),
            Self::Reason => Text::new("reason", "原因"),
        }
    }
}

impl Called {
    fn words(self) -> Text {
        match self {
            Self::Place => Text::new("place", "地点"),
            Self::Station => Text::new("station", "站点"),
            Self::Property => Text::new("property", "项目"),
            Self::Rule => Text::new("rule", "规则"),
            Self::Route => Text::new("route", "路线"),
            Self::Severity => Text::new("severity", "级别"),
        }
    }
}

fn of_alerts(all: &[u64], done_en: &str, done_zh: &str) -> Text {
    let Text { en, zh } = numbers(all);
    let are = if all.len() == 1 { "is" } else { "are" };
    Text::new(format!("{en} {are} {done_en}"), format!("告警 {zh} {done_zh}"))
}

fn recomputed(first: &str, last: &str) -> Text {
    let en = format!(
        "{first} to {last} are recomputed, each once it is closed, 35 hours after its end; the log \
         says what comes of it"
    );
    let zh = format!(
        "{first} 至 {last} 将逐日重算：每日在其结束 35 小时后封闭，封闭后重算，结果见运行日志"
    );
    Text::new(en, zh)
}

/// Names alerts by their numbers, and counts those that are too many to name.
fn numbers(all: &[u64]) -> Text {
    let named: Vec<String> = all.iter().take(NAMED_MAX).map(u64::to_string).collect();
    let (en, zh) = (named.join(", "), named.join("、"));
    match all.len().saturating_sub(NAMED_MAX) {
        0 => Text::new(en, zh),
        more => Text::new(format!("{en} and {more} more"), format!("{zh} 及另外 {more} 条")),
    }
}

fn after(text: &str, between: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{between}{text}") }
}

#[cfg(test)]
mod tests;

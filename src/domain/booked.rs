//! What persons do that no input of the pipeline says, because it changes no value and no alert:
//! kept beside the journal, for the audit list.

use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Dead letters were run again.
    LettersRetried,
    /// A test was sent to a channel.
    ChannelTested,
    /// The result of a check was entered, whether it passed or failed.
    CheckEntered,
    /// A table was imported.
    TableImported,
    /// Another edition of the seeds was put in force.
    EditionApplied,
    /// Past days were asked to be recomputed.
    DaysRecomputed,
    /// A copy of a journal was put in its place.
    JournalRestored,
    /// An account was added.
    AccountAdded,
    /// An account got another password.
    PasswordSet,
    /// An account got another role.
    RoleSet,
    /// An account was removed.
    AccountRemoved,
    /// A token was made.
    TokenMade,
    /// A token was removed.
    TokenRemoved,
    /// Somebody logged in.
    LoggedIn,
    /// Somebody tried to, in vain.
    LoginRefused,
    /// Somebody logged out.
    LoggedOut,
}

impl What {
    /// Gives what it is called in English and in Chinese.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::LettersRetried => ("dead letters run again", "重新解析异常报文"),
            Self::ChannelTested => ("channel tested", "测试通道"),
            Self::CheckEntered => ("check entered", "录入检查"),
            Self::TableImported => ("table imported", "导入数据表"),
            Self::EditionApplied => ("edition applied", "启用基础表版本"),
            Self::DaysRecomputed => ("days recomputed", "重算日期"),
            Self::JournalRestored => ("journal restored", "恢复日志库"),
            Self::AccountAdded => ("account added", "新增账号"),
            Self::PasswordSet => ("password set", "设置密码"),
            Self::RoleSet => ("role set", "设置角色"),
            Self::AccountRemoved => ("account removed", "删除账号"),
            Self::TokenMade => ("token made", "生成令牌"),
            Self::TokenRemoved => ("token removed", "删除令牌"),
            Self::LoggedIn => ("logged in", "登录"),
            Self::LoginRefused => ("login refused", "登录被拒"),
            Self::LoggedOut => ("logged out", "退出"),
        }
    }

    /// Says whether it is about coming and going. There is much of that, and anybody can cause
    /// some, so it is kept apart from what was done.
    #[must_use]
    pub fn is_of_login(self) -> bool {
        matches!(self, Self::LoggedIn | Self::LoginRefused | Self::LoggedOut)
    }
}

/// By which way it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// On the page, or by the interface of programs: the person is an account.
    Page,
    /// In the shell: the person is a user of the machine, or whom the command names.
    Shell,
}

impl Way {
    /// Gives its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Shell => "shell",
        }
    }
}

/// What a person did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Booked {
    /// When, ms since 1970.
    pub at_ms: i64,
    /// Who; empty of a name that nobody has.
    pub person: String,
    /// By which way.
    pub way: Way,
    /// What.
    pub what: What,
    /// With what: an account, a channel, a table.
    pub about: String,
    /// What came of it.
    pub words: String,
}

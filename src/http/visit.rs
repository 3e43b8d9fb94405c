//! Who asks, and how: what every page knows of its visitor.

use std::str::FromStr;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use serde::{Deserialize, Serialize};

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// The languages there are.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Chooses by what was asked for, else by what the browser prefers.
    #[must_use]
    pub fn choose(asked: Option<&str>, accepts: Option<&str>) -> Self {
        let wanted = asked.or(accepts).unwrap_or_default().trim_start().to_ascii_lowercase();
        if wanted.starts_with("zh") { Self::Chinese } else { Self::English }
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }
}

/// What a person may do, each role all of the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything that is no secret.
    View,
    /// Work off alerts, say what values are worth.
    Operate,
    /// Run dead letters again, try channels, take editions.
    Admin,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "view" => Ok(Self::View),
            "operate" => Ok(Self::Operate),
            "admin" => Ok(Self::Admin),
            _ => Err("expected view, operate or admin".to_owned()),
        }
    }
}

impl Role {
    /// Gives its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// A visitor of the page, as one request shows them.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The language.
    pub language: Language,
    /// Who it is, by the name of the account; empty where nobody has to say.
    pub person: String,
    /// What they may do.
    pub role: Role,
    /// What a form of theirs must bring along, so that no other page can send it in their name.
    pub token: String,
    /// Whether they logged in, and so can log out.
    pub logged_in: bool,
    /// What is said to them once, above the page: what came of what they did.
    pub said: Vec<String>,
}

impl Visit {
    /// Makes a visitor without a name: anybody of a role.
    pub(super) fn anybody(language: Language, role: Role) -> Self {
        let (person, token, said) = (String::new(), String::new(), Vec::new());
        Self { language, person, role, token, logged_in: false, said }
    }

    /// Makes the visitor of a request who is let in under a name and a role.
    pub(super) fn of(request: &Request, person: &str, role: Role) -> Self {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        let asked = url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == "lang")
            .map(|(_, value)| value.into_owned())
            .or_else(|| cookie(headers, "lang").map(str::to_owned));
        let accepts = headers.get(ACCEPT_LANGUAGE).and_then(|accepts| accepts.to_str().ok());
        let said = cookie(headers, "said").map_or_else(Vec::new, |said| {
            let said = url::form_urlencoded::parse(said.as_bytes());
            said.map(|(_, words)| words.into_owned()).collect()
        });
        let language = Language::choose(asked.as_deref(), accepts);
        Self { person: person.to_owned(), said, ..Self::anybody(language, role) }
    }
}

/// Gives a cookie's value.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_or_the_switch_chooses_the_language() {
        assert_eq!(Language::choose(None, Some("zh-CN,zh;q=0.9")), Language::Chinese);
        assert_eq!(Language::choose(Some("en"), Some("zh-CN")), Language::English);
        assert_eq!(Language::choose(None, None), Language::English);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; lang=zh;b=x".parse().unwrap());
        headers.append(COOKIE, "said=s=done".parse().unwrap());
        assert_eq!(cookie(&headers, "lang"), Some("zh"));
        assert_eq!(cookie(&headers, "said"), Some("s=done"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}

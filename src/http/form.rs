//! What a form of the page sends: pairs of names and values, from a page of our own only.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

use crate::http::view::Text;
use crate::http::visit::Visit;

/// How many bytes a form may have; a longer one is refused.
const FORM_BYTES_MAX: usize = 64 << 10;
/// How many fields a form may have; further ones are not read.
const FIELDS_MAX: usize = 2_000;

/// Why a form is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// It comes from a page of somebody else.
    Foreign,
    /// It has too many bytes.
    TooLong,
    /// It does not bring along what the visitor's own forms do.
    Older,
    /// The visitor may look only.
    MayLook,
}

impl Refused {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Foreign | Self::Older | Self::MayLook => StatusCode::FORBIDDEN,
        }
    }

    pub(super) fn words(self) -> Text {
        match self {
            Self::Foreign => {
                Text::new("A form of another page is not taken.", "不接受其他网页提交的表单。")
            }
            Self::TooLong => Text::new("The form has more than 64 KiB.", "表单内容超过 64 KiB。"),
            Self::Older => Text::new(
                "The form is of an older session: load the page again, then repeat it.",
                "页面是此前登录时打开的，请刷新页面后重新提交。",
            ),
            Self::MayLook => {
                Text::new("This account may look, not act.", "该账号只能查看，不能操作。")
            }
        }
    }
}

/// The fields of a form, in their order.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a request.
    ///
    /// # Errors
    /// It is too long, comes from another page, or without the visitor's token.
    pub(super) async fn read(
        headers: &HeaderMap,
        body: Body,
        visit: &Visit,
    ) -> Result<Self, Refused> {
        if !is_our_own(headers) {
            return Err(Refused::Foreign);
        }
        let bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| Refused::TooLong)?;
        let fields = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        let fields = fields.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let form = Self(fields);
        let offered = form.get("token").unwrap_or_default();
        if offered.as_bytes().ct_eq(visit.token.as_bytes()).into() {
            return Ok(form);
        }
        Err(Refused::Older)
    }

    /// Gives a field; nothing where it is left empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Gives a field; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Gives a field as it was written; empty where it is not there.
    pub(super) fn untrimmed(&self, name: &str) -> String {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    }

    /// Gives every value of a field that may be there several times.
    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }
}

/// Says whether a request that changes something comes from a page of this door. Browsers say of
/// every form where it comes from; who is no browser holds no session that could be misused.
pub(super) fn is_our_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

/// Splits a request into what a form is read from.
pub(super) fn parts(request: Request) -> (HeaderMap, Body) {
    let (head, body) = request.into_parts();
    (head.headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::visit::{Language, Role};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(axum::http::HeaderName, _)>>()
            .into_iter()
            .collect()
    }

    async fn read(body: String) -> Result<Form, Refused> {
        let nobody = Visit::anybody(Language::English, Role::View);
        Form::read(&headers(&[("host", "weir:8420")]), Body::from(body), &nobody).await
    }

    #[tokio::test]
    async fn a_form_has_so_many_bytes_and_fields() {
        let fields = |count: usize| (0..count).map(|at| format!("{at}=y&")).collect::<String>();
        let whole = read(fields(FIELDS_MAX)).await.ok().unwrap();
        assert_eq!(whole.text(&(FIELDS_MAX - 1).to_string()), "y");
        let more = read(fields(FIELDS_MAX + 1)).await.ok().unwrap();
        assert_eq!((more.text("0"), more.text(&FIELDS_MAX.to_string())), ("y".into(), "".into()));
        let of = |bytes: usize| format!("words={}", "x".repeat(bytes - 6));
        assert_eq!(read(of(FORM_BYTES_MAX)).await.ok().unwrap().text("words").len(), 65_530);
        let refused = read(of(FORM_BYTES_MAX + 1)).await.err().unwrap();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn only_a_page_of_this_door_sends_forms() {
        let ours = |pairs: &[_]| is_our_own(&headers(pairs));
        assert!(ours(&[("host", "weir:8420")]));
        assert!(ours(&[("host", "weir:8420"), ("origin", "https://weir:8420")]));
        assert!(!ours(&[("host", "weir:8420"), ("origin", "https://weir:8421")]));
        assert!(!ours(&[("host", "weir:8420"), ("origin", "null")]));
        assert!(!ours(&[("host", "weir:8420"), ("sec-fetch-site", "cross-site")]));
        assert!(ours(&[("host", "weir:8420"), ("sec-fetch-site", "same-origin")]));
    }
}

//! What a form of the page sends: pairs of names and values, from a page of our own only.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

use crate::http::visit::Visit;

/// How many bytes a form may have; a longer one is refused.
const FORM_BYTES_MAX: usize = 64 << 10;
/// How many fields a form may have; further ones are not read.
const FIELDS_MAX: usize = 2_000;

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
    ) -> Result<Self, (StatusCode, &'static str)> {
        if !is_our_own(headers) {
            return Err((StatusCode::FORBIDDEN, "a form of another page is not taken\n"));
        }
        let bytes = to_bytes(body, FORM_BYTES_MAX).await;
        let too_long = (StatusCode::PAYLOAD_TOO_LARGE, "a form of more than 64 KiB\n");
        let bytes = bytes.map_err(|_| too_long)?;
        let fields = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        let fields = fields.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let form = Self(fields);
        let offered = form.get("token").unwrap_or_default();
        if offered.as_bytes().ct_eq(visit.token.as_bytes()).into() {
            return Ok(form);
        }
        Err((StatusCode::FORBIDDEN, "the form is of an older session; load the page again\n"))
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

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(axum::http::HeaderName, _)>>()
            .into_iter()
            .collect()
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

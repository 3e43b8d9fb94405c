//! What is wrong with a request, as problem details (RFC 9457).

use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What kinds of problems there are: word, status, title. The word is the last part of `type`.
const KINDS: [(Kind, &str, StatusCode, &str); 14] = [
    (Kind::Wrong, "wrong", StatusCode::BAD_REQUEST, "The request is wrong"),
    (Kind::Token, "token", StatusCode::UNAUTHORIZED, "Nobody is known by this"),
    (Kind::Role, "role", StatusCode::FORBIDDEN, "The account may not do this"),
    (Kind::Foreign, "foreign", StatusCode::FORBIDDEN, "The request comes from another page"),
    (Kind::Unknown, "unknown", StatusCode::NOT_FOUND, "Nothing is called so"),
    (Kind::Method, "method", StatusCode::METHOD_NOT_ALLOWED, "The address does not take this"),
    (Kind::TooLong, "too_long", StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
    (Kind::NotJson, "not_json", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is no JSON"),
    (Kind::Host, "host", StatusCode::MISDIRECTED_REQUEST, "weir is asked for by another name"),
    (Kind::Refused, "refused", StatusCode::UNPROCESSABLE_ENTITY, "weir does not take it"),
    (Kind::Broken, "broken", StatusCode::INTERNAL_SERVER_ERROR, "weir can't answer"),
    (Kind::NotYet, "not_yet", StatusCode::SERVICE_UNAVAILABLE, "weir has only just begun"),
    (Kind::Away, "away", StatusCode::SERVICE_UNAVAILABLE, "The database can't be asked"),
    (Kind::NotKept, "not_kept", StatusCode::NOT_FOUND, "Nothing of the kind is kept"),
];

/// A kind of problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::http) enum Kind {
    /// A key or value of the query, or the body, is not as it must be.
    Wrong,
    /// There is no token or session, or none of an account.
    Token,
    /// The host that is asked for is none of weir's.
    Host,
    /// The role is too low.
    Role,
    /// Another site's page sent it.
    Foreign,
    /// There is no such address or thing.
    Unknown,
    /// The address takes another method.
    Method,
    /// The body has too many bytes.
    TooLong,
    /// The body is of another type.
    NotJson,
    /// It was understood, and weir has reasons not to do it.
    Refused,
    /// The journal can't be read.
    Broken,
    /// There is no view of the state yet.
    NotYet,
    /// The database can't be asked.
    Away,
    /// Where points go, there is nothing of the kind.
    NotKept,
}

impl Kind {
    /// Gives the status by which it is answered.
    pub(in crate::http) fn status(self) -> StatusCode {
        self.row().1
    }

    /// Gives word, status and title.
    fn row(self) -> (&'static str, StatusCode, &'static str) {
        let found = KINDS.iter().find(|(kind, ..)| *kind == self);
        let other = ("broken", StatusCode::INTERNAL_SERVER_ERROR, "");
        found.map_or(other, |(_, word, status, title)| (*word, *status, *title))
    }
}

/// A problem: of a kind, with what is wrong and how to mend it, line by line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::http) struct Problem {
    kind: Kind,
    faults: Vec<String>,
    allow: Option<&'static str>,
}

impl Problem {
    pub(in crate::http) fn new(kind: Kind, fault: impl Into<String>) -> Self {
        Self { kind, faults: vec![fault.into()], allow: None }
    }

    pub(super) fn several(kind: Kind, faults: Vec<String>) -> Self {
        Self { kind, faults, allow: None }
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.kind == Kind::Unknown
    }

    /// Says which methods the address takes.
    pub(super) fn allowing(allow: &'static str) -> Self {
        let fault = format!("this address takes {allow}");
        Self { allow: Some(allow), ..Self::new(Kind::Method, fault) }
    }
}

/// Gives the kinds of problems, for who follows the `type` of one.
pub(super) fn kinds() -> Value {
    let list = KINDS.iter().map(|(_, word, status, title)| {
        json!({ "type": address(word), "status": status.as_u16(), "title": title })
    });
    json!({ "value": list.collect::<Vec<_>>(), "next": null })
}

fn address(word: &str) -> String {
    format!("/api/v1/problems#{word}")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (word, status, title) = self.kind.row();
        let body = json!({
            "type": address(word), "title": title, "status": status.as_u16(),
            "detail": self.faults.join("; "), "faults": self.faults,
        });
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body.to_string()).into_response();
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

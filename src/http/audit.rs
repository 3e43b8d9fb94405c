//! The audit list as a table for other programs.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use crate::http::door::Shared;
use crate::http::pages::Query;
use crate::http::view::audit::{AuditAsked, AuditView};
use crate::http::visit::{Role, Visit};

/// Reads what is asked of the list.
pub(super) fn asked(query: &Query) -> AuditAsked {
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    AuditAsked { from: text("from"), to: text("to"), person: text("person") }
}

/// Gives the list as CSV, to administrators.
pub(super) async fn csv(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
) -> Response {
    if visit.role < Role::Admin {
        return (StatusCode::FORBIDDEN, "the audit list is for administrators\n").into_response();
    }
    let view = (shared.source.audit)(asked(&Query::of(uri.query().unwrap_or_default())), None);
    if !view.fault.en.is_empty() {
        return (StatusCode::BAD_REQUEST, format!("{}\n", view.fault.en)).into_response();
    }
    match table(&view) {
        Ok(table) => {
            let kind = (CONTENT_TYPE, "text/csv; charset=utf-8");
            let name = (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\"");
            ([kind, name], table).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn table(view: &AuditView) -> Result<Vec<u8>, csv::Error> {
    // By its first three bytes Excel knows that the Chinese in it is UTF-8.
    let mut rows = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    rows.write_record(["time", "person", "behalf", "act", "about", "until", "words", "way"])?;
    for act in &view.acts {
        let cells = [&act.at, &act.person, &act.behalf, &act.what.en, &act.about.en, &act.until];
        let cells = cells.into_iter().chain([&act.words, &act.way]);
        rows.write_record(cells.map(|cell| plain(cell)))?;
    }
    rows.into_inner().map_err(|error| error.into_error().into())
}

/// Keeps a spreadsheet from taking words for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::view::Text;
    use crate::http::view::audit::ActView;

    #[test]
    fn a_row_is_an_act_and_words_are_no_formula() {
        let act = ActView {
            at: "2026-06-01T08:10:00+08:00".to_owned(),
            person: "li.na".to_owned(),
            way: "page".to_owned(),
            what: Text::new("comment", "备注"),
            about: Text::new("alert 7", "告警 7"),
            words: "=HYPERLINK(\"http://evil.example\"), 已取样".to_owned(),
            ..ActView::default()
        };
        let view = AuditView { acts: vec![act], ..AuditView::default() };
        let text = String::from_utf8(table(&view).unwrap()).unwrap();
        let wanted = "\u{feff}time,person,behalf,act,about,until,words,way\n\
            2026-06-01T08:10:00+08:00,li.na,,comment,alert 7,,\
            \"'=HYPERLINK(\"\"http://evil.example\"\"), 已取样\",page\n";
        assert_eq!(text, wanted);
    }
}

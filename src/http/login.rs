//! Logging in and out.

use std::sync::{Arc, PoisonError};

use axum::extract::{Extension, Request, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::time::Instant;

use crate::domain::booked::What;
use crate::http::account::{Account, NAME_BYTES_MAX};
use crate::http::act;
use crate::http::door::Shared;
use crate::http::form::{self, Form};
use crate::http::guard::COOKIE;
use crate::http::pages::{self, Query, Shown};
use crate::http::password::{self, PASSWORD_BYTES_MAX};
use crate::http::view::Text;
use crate::http::visit::{Language, Role, Visit, cookie};

/// What the page to log in on shows.
#[derive(Debug, Default, Serialize)]
struct LoginView {
    /// Why it was in vain; empty before the first try.
    fault: Text,
    /// Where to go once logged in.
    back: String,
    /// The name that was given.
    name: String,
}

/// Shows the page to log in on.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
) -> Response {
    let query = Query::of(uri.query().unwrap_or_default());
    let back = query.get("back").filter(|back| act::is_ours(back)).unwrap_or("/").to_owned();
    let view = LoginView { back, ..LoginView::default() };
    show(&shared, &visit, &uri, StatusCode::OK, view)
}

fn show(
    shared: &Shared,
    visit: &Visit,
    uri: &Uri,
    status: StatusCode,
    view: LoginView,
) -> Response {
    if shared.guard.is_unpeopled() {
        let shown = Shown::new("begin.html", ());
        return pages::render(shared, visit, uri, StatusCode::FORBIDDEN, &shown);
    }
    pages::render(shared, visit, uri, status, &Shown::new("login.html", view))
}

/// Logs somebody in who has name and password.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    let uri = request.uri().clone();
    let (headers, body) = form::parts(request);
    // There is no session yet that its forms could be tied to; that it comes from our own page is
    // looked at.
    let nobody = Visit::anybody(visit.language, Role::View);
    let form = match Form::read(&headers, body, &nobody).await {
        Ok(form) => form,
        Err(refused) => return pages::refuse(&shared, &nobody, refused),
    };
    let (name, back) = (form.text("name"), form.text("back"));
    let offered = form.untrimmed("password");
    let view = |fault| LoginView { fault, back: back.clone(), name: name.clone() };
    if name.len() > NAME_BYTES_MAX || offered.len() > PASSWORD_BYTES_MAX {
        return show(&shared, &nobody, &uri, StatusCode::FORBIDDEN, view(wrong()));
    }
    let tried = {
        let mut tries = shared.guard.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.take(&name, Instant::now())
    };
    if let Err(wait) = tried {
        let seconds = wait.as_secs() + 1;
        tracing::warn!(seconds, "A login was put off: too many tries.");
        let fault = Text::new(
            format!("Too many tries; try again in {seconds} s."),
            format!("尝试次数过多，请 {seconds} 秒后再试。"),
        );
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut response = show(&shared, &nobody, &uri, status, view(fault));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let Some(account) = checked(&shared, &name, offered).await else {
        return show(&shared, &nobody, &uri, StatusCode::FORBIDDEN, view(wrong()));
    };
    let before = cookie(&headers, COOKIE);
    begin(&shared, &account, before, &back).await
}

fn wrong() -> Text {
    Text::new("Name or password is wrong.", "用户名或密码错误。")
}

/// Gives the account of a name and a password. It takes as long where there is no such name.
pub(super) async fn checked(shared: &Arc<Shared>, name: &str, offered: String) -> Option<Account> {
    let guard = &shared.guard;
    let account = guard.roll.now().of(name).cloned();
    let hash = account.as_ref().and_then(Account::hash).map(str::to_owned);
    let right = {
        // What may be hashed at once is memory: others wait here.
        let _place = guard.hashes.acquire().await.ok()?;
        let check = move || password::is_of(hash.as_deref(), &offered);
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    };
    match account {
        Some(account) if right => {
            let mut tries = guard.tries.lock().unwrap_or_else(PoisonError::into_inner);
            tries.succeeded(name);
            Some(account)
        }
        Some(account) => {
            tracing::warn!(person = account.name, "A login was refused: the password is wrong.");
            (shared.source.book)(What::LoginRefused, &account.name, "the password is wrong");
            None
        }
        None => {
            // Not which: people write their password where the name belongs.
            tracing::warn!("A login was refused: there is no such name.");
            (shared.source.book)(What::LoginRefused, "", "there is no such name");
            None
        }
    }
}

async fn begin(
    shared: &Arc<Shared>,
    account: &Account,
    before: Option<&str>,
    back: &str,
) -> Response {
    let guard = &shared.guard;
    let id = match guard.sessions.begin(account, (shared.source.wall)()) {
        Ok(id) => id,
        Err(error) => {
            tracing::error!(%error, "Nobody can log in: the system has no random numbers.");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    if let Some(before) = before {
        guard.sessions.end(before);
    }
    note(shared).await;
    tracing::info!(person = account.name, role = account.role.word(), "Logged in.");
    (shared.source.book)(What::LoggedIn, &account.name, account.role.word());
    let mut response = act::lead_back(&[], Language::English, back);
    set(&mut response, shared, &id, guard.lasts_s);
    response
}

/// Logs the visitor out.
pub(super) async fn out(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    let (headers, body) = form::parts(request);
    if let Err(refused) = Form::read(&headers, body, &visit).await {
        return pages::refuse(&shared, &visit, refused);
    }
    if let Some(id) = cookie(&headers, COOKIE) {
        shared.guard.sessions.end(id);
        note(&shared).await;
        tracing::info!(person = visit.person, "Logged out.");
        (shared.source.book)(What::LoggedOut, &visit.person, "");
    }
    let mut response = act::lead_back(&[], visit.language, "/login");
    set(&mut response, &shared, "", 0);
    response
}

async fn note(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || shared.guard.sessions.note()).await.ok();
}

/// Has the browser hold the cookie for so many seconds. `Lax`, so that a link in a mail leads to
/// its alert: other pages can open pages of weir by it, and send no forms.
fn set(response: &mut Response, shared: &Shared, id: &str, lasts_s: u64) {
    let secure = if shared.guard.secure { "; Secure" } else { "" };
    let line = format!("{COOKIE}={id}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

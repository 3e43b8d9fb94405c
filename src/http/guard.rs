//! The guard of the door: who a request is from, and which addresses are for whom.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use crate::domain::time::Timestamp;
use crate::http::account::{Accounts, Roll};
use crate::http::api::problem::{Kind, Problem};
use crate::http::door::{Error, Shared, token};
use crate::http::form::Refused;
use crate::http::pages::{self, Shown};
use crate::http::session::{Sessions, form_token};
use crate::http::tries::Tries;
use crate::http::visit::{Role, Visit, cookie};
use crate::http::{Config, password};

/// The name of the cookie that a browser of somebody who logged in holds.
pub(super) const COOKIE: &str = "weir";
/// How many passwords are hashed at once, each with 19 MiB; others wait.
pub(super) const HASHES_MAX: usize = 2;
/// What everybody may have: without it there is no page to log in on.
const OPEN: [&str; 4] = ["/login", "/style.css", "/live.js", "/icon.svg"];
/// What is for those who watch over weir: on this machine they need no account.
const WATCHED: [&str; 2] = ["/ready", "/metrics"];

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Who may come in, and what is known of those who try.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<TokenDigest>,
    pub(super) roll: Roll,
    pub(super) sessions: Sessions,
    pub(super) tries: Mutex<Tries>,
    pub(super) hashes: Semaphore,
    /// Whether cookies are for encrypted connections only.
    pub(super) secure: bool,
    /// How long a browser holds the cookie, s.
    pub(super) lasts_s: u64,
    secret: [u8; 32],
    guest: Option<&'static str>,
    loopback: bool,
    /// The name by which a proxy may ask, beside those of loopback.
    host: Option<String>,
    trusted: Option<(HeaderName, Vec<IpAddr>)>,
}

/// The digest of a token. There is no `==` for it: comparing takes the same time whatever is
/// offered, and however long it is.
#[derive(Clone)]
struct TokenDigest([u8; 32]);

impl TokenDigest {
    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn is_of(&self, offered: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(offered).0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A short token could be found by trying.
        out.write_str("TokenDigest(…)")
    }
}

impl Guard {
    /// Makes the guard of a configuration.
    ///
    /// # Errors
    /// The token can't be read, or anybody could come in.
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let token = token(config)?.map(|token| TokenDigest::of(token.expose_secret().as_bytes()));
        let loopback = config.is_loopback();
        let roll = Roll::new(config.users());
        if !loopback && token.is_none() && config.trusted_header.is_none() && roll.now().is_empty()
        {
            return Err(Error::Open { listen: config.listen.clone() });
        }
        if !loopback && config.certificate_file.is_none() && !config.behind_proxy {
            return Err(Error::Plain { listen: config.listen.clone() });
        }
        let has_token = token.is_some();
        let header = config.trusted_header.as_ref().and_then(|name| name.parse().ok());
        Ok(Self {
            token,
            roll,
            sessions: Sessions::open(config),
            tries: Mutex::default(),
            hashes: Semaphore::new(HASHES_MAX),
            secure: config.is_secure(),
            lasts_s: u64::from(config.session_h) * 3_600,
            secret: password::random().map_err(Error::Lot)?,
            guest: config.guest.filter(|_| loopback && !has_token),
            loopback,
            host: config.host().map(str::to_owned),
            trusted: header.map(|header| (header, config.trusted_proxies.clone())),
        })
    }

    /// Tells who a request is from, or why it is turned away before that is asked.
    fn visitor(&self, request: &Request, now: Timestamp) -> Result<Option<Visit>, Turned> {
        let (headers, accounts) = (request.headers(), self.roll.now());
        let offered = Offered::of(headers);
        if self.token.as_ref().is_some_and(|token| offered.is_of(token)) {
            return Ok(Some(Visit::of(request, "", Role::View)));
        }
        if let Some(account) = offered.bearer().and_then(|token| accounts.of_token(token)) {
            return Ok(Some(Visit::of(request, &account.name, account.role)));
        }
        if offered.bearer().is_some() {
            return Err(Turned::Token);
        }
        // A page elsewhere could ask this one in somebody's browser, by a name of its own that
        // points here.
        if self.loopback && !self.is_asked_for(headers) {
            return Err(Turned::Host);
        }
        if let Some(person) = self.sent_by_proxy(request) {
            let role = accounts.of(&person).map_or(Role::View, |account| account.role);
            return Ok(Some(self.tied(Visit::of(request, &person, role))));
        }
        if let Some(id) = cookie(headers, COOKIE)
            && let Some(account) = self.sessions.find(id, |name| accounts.of(name), now)
        {
            let visit = Visit::of(request, &account.name, account.role);
            let token = form_token(id.as_bytes(), &account.name);
            return Ok(Some(Visit { token, logged_in: true, ..visit }));
        }
        let guest = self.guest.filter(|_| accounts.is_empty());
        Ok(guest.map(|name| self.tied(Visit::of(request, name, Role::Admin))))
    }

    /// Gives a visitor without a session what their forms must bring along.
    fn tied(&self, visit: Visit) -> Visit {
        Visit { token: form_token(&self.secret, &visit.person), ..visit }
    }

    fn sent_by_proxy(&self, request: &Request) -> Option<String> {
        let (header, proxies) = self.trusted.as_ref()?;
        let Peer(peer) = request.extensions().get::<Peer>()?;
        let mut names = request.headers().get_all(header).iter();
        let name = names.next()?.to_str().ok()?.trim();
        if !proxies.contains(&peer.to_canonical()) {
            tracing::debug!(%peer, "A header that only the proxy may send is not heeded.");
            return None;
        }
        // Two of them: somebody added one before the proxy did.
        let is_one = names.next().is_none() && Accounts::is_name(name);
        is_one.then(|| name.to_owned())
    }

    fn is_asked_for(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.host.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return true;
        }
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        matches!(name, "localhost" | "127.0.0.1" | "::1")
    }

    /// Says whether nobody can have logged in, since there is no account.
    pub(super) fn is_unpeopled(&self) -> bool {
        self.trusted.is_none() && self.roll.now().is_empty()
    }
}

/// Why a request is turned away.
enum Turned {
    /// Its token is none.
    Token,
    /// It asks for another host.
    Host,
}

/// What a request offers to be let in by.
enum Offered<'h> {
    Nothing,
    Bearer(&'h str),
    Password(Vec<u8>),
}

impl<'h> Offered<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        let offered = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let (scheme, rest) = offered.and_then(|all| all.split_once(' ')).unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Self::Bearer(rest.trim()),
            "basic" => {
                let pair = STANDARD.decode(rest.trim()).unwrap_or_default();
                let colon = pair.iter().position(|byte| *byte == b':');
                let password = colon.and_then(|at| pair.get(at + 1..));
                password.map_or(Self::Nothing, |password| Self::Password(password.to_vec()))
            }
            _ => Self::Nothing,
        }
    }

    fn is_of(&self, token: &TokenDigest) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bearer(offered) => token.is_of(offered.as_bytes()),
            Self::Password(offered) => token.is_of(offered),
        }
    }

    fn bearer(&self) -> Option<&'h str> {
        match self {
            Self::Bearer(offered) => Some(offered),
            Self::Nothing | Self::Password(_) => None,
        }
    }
}

/// Lets a request in as who it is from, or turns it away.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let now = (shared.source.wall)();
    let guard = &shared.guard;
    if guard.sessions.is_due(now) {
        let shared = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || shared.guard.sessions.note());
    }
    let path = request.uri().path();
    let visit = match guard.visitor(&request, now) {
        Ok(visit) => visit,
        Err(Turned::Token) => return unknown(path),
        Err(Turned::Host) => {
            let words = "ask for 127.0.0.1 or localhost, or name this host in http.address";
            return turned(path, Kind::Host, words);
        }
    };
    let is_open = OPEN.contains(&path)
        || (guard.loopback && guard.token.is_none() && WATCHED.contains(&path));
    let visit = match visit {
        Some(visit) => visit,
        None if is_open => Visit::of(&request, "", Role::View),
        None => return turn_away(&shared, &request),
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && visit.role < Role::Operate && !matches!(path, "/login" | "/logout") {
        return match path == "/act" {
            true => pages::refuse(&shared, &visit, Refused::MayLook),
            false => turned(path, Kind::Role, "this account may look, not act"),
        };
    }
    request.extensions_mut().insert(visit);
    next.run(request).await
}

/// Turns a request away: of the interface of programs with problem details, else in a line.
fn turned(path: &str, kind: Kind, words: &'static str) -> Response {
    if path.starts_with("/api/") {
        Problem::new(kind, words).into_response()
    } else {
        (kind.status(), format!("{words}\n")).into_response()
    }
}

fn unknown(path: &str) -> Response {
    let words = "the token is asked for: as Bearer, or as the password of any user";
    let mut response = turned(path, Kind::Token, words);
    let asked = "Bearer realm=\"weir\", Basic realm=\"weir\", charset=\"UTF-8\"";
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(asked));
    response
}

/// Leads a person to where they log in; tells a program what is asked for.
fn turn_away(shared: &Shared, request: &Request) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let path = uri.path();
    let for_programs = path == "/live" || path.starts_with("/api/") || WATCHED.contains(&path);
    if for_programs || !matches!(*request.method(), Method::GET | Method::HEAD) {
        // A browser would ask for a password of its own on top of the page that does.
        let by_page = headers.get("sec-fetch-mode").is_some();
        let words = "log in, or send a token: `weir user token` makes one";
        return if by_page { turned(path, Kind::Token, words) } else { unknown(path) };
    }
    let wants_page = headers.get(ACCEPT).and_then(|accepts| accepts.to_str().ok());
    let wants_page = wants_page.is_none_or(|kinds| kinds.contains("html") || kinds.contains("*/*"));
    if !wants_page {
        return unknown(path);
    }
    if shared.guard.is_unpeopled() {
        let visit = Visit::of(request, "", Role::View);
        let shown = Shown::new("begin.html", ());
        return pages::render(shared, &visit, uri, StatusCode::FORBIDDEN, &shown);
    }
    let here = uri.path_and_query().map_or("/", |here| here.as_str());
    if here == "/" {
        return Redirect::to("/login").into_response();
    }
    let mut back = url::form_urlencoded::Serializer::new(String::new());
    back.append_pair("back", here);
    Redirect::to(&format!("/login?{}", back.finish())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_own_bytes_and_no_beginning_of_them() {
        let token = TokenDigest::of(b"s3cret");
        assert!(token.is_of(b"s3cret"));
        for other in ["", "s", "s3cre", "s3crex", "x3cret", "s3cret ", "s3crets3cret", "S3CRET"] {
            assert!(!token.is_of(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "TokenDigest(…)");
    }
}

//! The door: who may come in, and what each address answers.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::domain::asked::Asked;
use crate::domain::booked::What;
use crate::domain::time::Timestamp;
use crate::http::Config;
use crate::http::act;
use crate::http::api;
use crate::http::audit;
use crate::http::connections::{self, LIMITS};
use crate::http::guard::{self, Guard};
use crate::http::house;
use crate::http::live::{self, Hub};
use crate::http::login;
use crate::http::pages;
use crate::http::password;
use crate::http::station;
use crate::http::templates::Templates;
use crate::http::tls;
use crate::http::view::alerts;
use crate::http::view::audit::{AuditAsked, AuditView};
use crate::http::view::handover::HandoverView;
use crate::http::view::now::NowView;
use crate::http::view::strip::StripView;
use crate::http::view::{PageView, StationsAsked, Text};

/// What came of what a person asked for, or everything that is wrong with it.
pub type Acted = Result<Vec<Text>, Vec<Text>>;

/// What is shown, of something that may be named.
pub type Showing<A, V> = Box<dyn Fn(Option<&A>) -> V + Send + Sync>;

/// Writes down what somebody did: what, who, and what there is to say.
pub type Booking = Box<dyn Fn(What, &str, &str) + Send + Sync>;

/// An answer that takes its time.
pub type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Where the door gets what it shows.
pub struct Source {
    /// The head of every page.
    pub strip: Box<dyn Fn() -> StripView + Send + Sync>,
    /// The first page.
    pub now: Box<dyn Fn() -> NowView + Send + Sync>,
    /// What happened since a time, as a field for a date and time has it.
    pub handover: Showing<str, HandoverView>,
    /// The stations that are wanted.
    pub page: Box<dyn Fn(&StationsAsked) -> PageView + Send + Sync>,
    /// The pages of alerts.
    pub alerts: alerts::Source,
    /// Takes in what a person asks for: what came of it, or everything that is wrong with it.
    pub act: Box<dyn Fn(Asked) -> Answering<Acted> + Send + Sync>,
    /// The audit list, of which no more than so many acts are wanted.
    pub audit: Box<dyn Fn(AuditAsked, Option<usize>) -> AuditView + Send + Sync>,
    /// Writes down that somebody came or went.
    pub book: Booking,
    /// What programs ask for.
    pub api: api::Source,
    /// What the page about weir itself shows, and what is done on it.
    pub house: house::Source,
    /// The pages of one station.
    pub stations: station::Source,
    /// Why weir is not ready; empty if it is.
    pub unready: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Metrics as text.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// The time of the system's clock, by which sessions end.
    pub wall: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

/// What to do when the port is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallback {
    /// Say so.
    Refuse,
    /// Take any free one.
    FreePort,
}

/// What keeps the door shut.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address can't be listened on.
    #[error("http.listen `{listen}`: {fault}; name another port")]
    Taken {
        /// The address.
        listen: String,
        /// Why.
        fault: std::io::Error,
    },
    /// Anybody could come in.
    #[error(
        "http.listen `{listen}` is open to others and there is neither an account nor a token; \
         `weir user add NAME --role admin`, or set http.token_file or http.token_env, or listen on \
         a loopback address such as 127.0.0.1:8420"
    )]
    Open {
        /// The address.
        listen: String,
    },
    /// Passwords would go over the net in the clear.
    #[error(
        "http.listen `{listen}` is open to others without TLS; set http.certificate_file and \
         http.key_file, or http.behind_proxy = true where a proxy in front of weir speaks TLS"
    )]
    Plain {
        /// The address.
        listen: String,
    },
    /// The certificate can't be shown.
    #[error("http: {fault}")]
    Certificate {
        /// Why.
        fault: String,
    },
    /// There is nothing to make sessions of.
    #[error("the system has no random numbers: {0}")]
    Lot(std::io::Error),
    /// The token can't be read.
    #[error("http.{key}: {fault}")]
    Token {
        /// The setting.
        key: &'static str,
        /// Why.
        fault: String,
    },
    /// The template of the page is broken, which a test rules out.
    #[error("the page can't be made: {0}")]
    Page(#[from] minijinja::Error),
}

/// A door that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
    tls: Option<TlsAcceptor>,
    templates: Templates,
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) source: Source,
    pub(super) guard: Guard,
    pub(super) templates: Templates,
    pub(super) hub: Hub,
}

impl Server {
    /// Listens. Elsewhere than on loopback only with a token.
    ///
    /// # Errors
    /// The port is taken, the token can't be read, or there is none where others may come in.
    pub async fn bind(config: &Config, fallback: Fallback) -> Result<Self, Error> {
        let guard = Guard::new(config)?;
        let tls = tls::acceptor(config).map_err(|fault| Error::Certificate { fault })?;
        let taken = |fault| Error::Taken { listen: config.listen.clone(), fault };
        let listener = match TcpListener::bind(&config.listen).await {
            Ok(listener) => listener,
            Err(_) if fallback == Fallback::FreePort => {
                TcpListener::bind("127.0.0.1:0").await.map_err(taken)?
            }
            Err(fault) => return Err(taken(fault)),
        };
        let address = listener.local_addr().map_err(taken)?;
        Ok(Self { listener, address, guard, tls, templates: Templates::new()? })
    }

    /// Gives the address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to end; then what is under way has a little time left.
    pub async fn serve(self, source: Source, until: impl Future<Output = ()>) {
        let Self { listener, guard, tls, templates, .. } = self;
        let secure = guard.secure;
        let shared = Arc::new(Shared { source, guard, templates, hub: Hub::default() });
        let guarded = Router::new()
            .route("/", get(pages::get))
            .route("/api/v1/{*path}", any(api::answer))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .route("/style.css", get(style))
            .route("/live.js", get(script))
            .route("/icon.svg", get(icon))
            .route("/live", get(live::get))
            .route("/act", post(act::post))
            .route("/audit.csv", get(audit::csv))
            .route("/login", get(login::get).post(login::post))
            .route("/logout", post(login::out))
            .route("/stations/{name}/series.csv", get(series_csv))
            .fallback(get(pages::get))
            .with_state(Arc::clone(&shared))
            .layer(middleware::from_fn_with_state(shared, guard::guard));
        let router = Router::new()
            .route("/health", get(async || "ok\n"))
            .merge(guarded)
            .layer(middleware::map_response(move |response| harden(response, secure)));
        connections::serve(listener, router, until, tls, LIMITS).await;
    }
}

pub(super) fn token(config: &Config) -> Result<Option<SecretString>, Error> {
    let (key, text) = match (&config.token_file, &config.token_env) {
        (Some(path), _) => {
            let fault = |error: std::io::Error| Error::Token {
                key: "token_file",
                fault: format!("`{}`: {error}", path.display()),
            };
            ("token_file", std::fs::read_to_string(path).map_err(fault)?)
        }
        (None, Some(name)) => {
            let fault =
                |_| Error::Token { key: "token_env", fault: format!("`{name}` is not set") };
            ("token_env", std::env::var(name).map_err(fault)?)
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Token { key, fault: "it is empty".to_owned() });
    }
    Ok(Some(SecretString::from(text)))
}

/// Says to the browser what no page of weir needs, so that it is refused to whatever got in.
async fn harden(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
        img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let nothing = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), \
        midi=(), clipboard-read=(), display-capture=()";
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (HeaderName::from_static("permissions-policy"), nothing),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` browsers send forms of our own pages as from nowhere.
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

async fn series_csv(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    let query = pages::Query::of(uri.query().unwrap_or_default());
    station::csv(&shared, &name, &query).await
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let reasons = (shared.source.unready)();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], (shared.source.metrics)()).into_response()
}

async fn style(headers: HeaderMap) -> Response {
    asset(&headers, "text/css; charset=utf-8", include_str!("style.css"))
}

async fn script(headers: HeaderMap) -> Response {
    asset(&headers, "text/javascript; charset=utf-8", include_str!("live.js"))
}

/// Gives a file that changes with weir only. A browser keeps it, and asks whether it is still so.
fn asset(headers: &HeaderMap, kind: &'static str, text: &'static str) -> Response {
    let digest = password::digest(text);
    let tag = format!("\"{}\"", digest.get(..16).unwrap_or(&digest));
    let held = headers.get(IF_NONE_MATCH).and_then(|held| held.to_str().ok()).unwrap_or_default();
    let known = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if held.split(',').any(|one| one.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    ([(CONTENT_TYPE, kind)], known, text).into_response()
}

async fn icon(headers: HeaderMap) -> Response {
    asset(&headers, "image/svg+xml", include_str!("icon.svg"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use std::time::Duration;

    use crate::http::account::Accounts;
    use crate::http::api::asked::Refused;
    use crate::http::guard::HASHES_MAX;
    use crate::http::live::{HERE_BYTES_MAX, TOPICS_MAX};
    use crate::http::view::PartView;
    use crate::http::view::alert::WholeView;
    use crate::http::view::alerts::{AlertsView, HistoryView, SilencesView, Wanted};
    use crate::http::visit::Role;

    fn alerts() -> alerts::Source {
        let list = |wanted: &Wanted| AlertsView { wanted: wanted.clone(), ..AlertsView::default() };
        alerts::Source {
            list: Box::new(list),
            silences: Box::new(SilencesView::default),
            history: Box::new(|_| HistoryView::default()),
            one: Box::new(|id| (id == 7).then(WholeView::default)),
        }
    }

    fn source() -> Source {
        Source {
            strip: Box::new(StripView::default),
            now: Box::new(NowView::default),
            handover: Box::new(|_| HandoverView::default()),
            page: Box::new(|asked| {
                let number = asked.number;
                let part = PartView { number, of: 3, ..PartView::default() };
                PageView { part, ..PageView::default() }
            }),
            alerts: alerts(),
            act: Box::new(|_| Box::pin(async { Ok(vec![Text::new("done", "已完成")]) })),
            audit: Box::new(|_, _| AuditView::default()),
            book: Box::new(|_, _, _| {}),
            api: api::Source { get: Box::new(|_| Box::pin(async { Err(Refused::NotYet) })) },
            house: house::Source::empty(),
            stations: station::Source::default(),
            unready: Box::new(|| vec!["broker rivers is away".to_owned()]),
            metrics: Box::new(|| "weir_up 1\n".to_owned()),
            wall: Box::new(|| Timestamp(1_780_272_000_000)),
        }
    }

    async fn served(config: &Config) -> SocketAddr {
        let server = Server::bind(config, Fallback::Refuse).await.unwrap();
        let address = server.address();
        tokio::spawn(server.serve(source(), std::future::pending()));
        address
    }

    async fn ask(address: SocketAddr, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn closed() -> Config {
        Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() }
    }

    /// As the demonstration is.
    fn open() -> Config {
        Config { guest: Some("demo"), ..closed() }
    }

    #[tokio::test]
    async fn every_address_answers() {
        let address = served(&open()).await;
        let host = "Host: localhost:1\r\n";
        let page = ask(address, "/", host).await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("lang=\"en\""), "{page}");
        assert!(page.contains("content-security-policy: default-src 'none'"));
        let chinese = ask(address, "/", &format!("{host}Accept-Language: zh-CN\r\n")).await;
        assert!(chinese.contains("lang=\"zh\""));
        assert!(ask(address, "/health", "Host: x\r\n").await.starts_with("HTTP/1.1 200"));
        let ready = ask(address, "/ready", host).await;
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("rivers is away"), "{ready}");
        assert!(ask(address, "/metrics", host).await.contains("weir_up 1"));
        let status = ask(address, "/api/v1/status", host).await;
        assert!(status.starts_with("HTTP/1.1 503") && status.contains("problem+json"), "{status}");
        let second = ask(address, "/stations?page=2&lang=zh", host).await;
        assert!(second.contains("href=\"/stations?page=3\""), "{second}");
        assert!(ask(address, "/?page=x", host).await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/style.css", host).await.contains("text/css"));
        assert!(ask(address, "/x", host).await.starts_with("HTTP/1.1 404"));
        for path in ["/alerts?place=puhe", "/alerts/silences", "/alerts/history", "/alerts/7"] {
            let page = ask(address, path, host).await;
            assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
        }
        let none = ask(address, "/alerts/8", host).await;
        assert!(none.starts_with("HTTP/1.1 404") && none.contains("no alert 8"), "{none}");
    }

    #[tokio::test]
    async fn a_name_of_somebody_else_is_turned_away() {
        let address = served(&open()).await;
        assert!(ask(address, "/", "Host: evil.example\r\n").await.starts_with("HTTP/1.1 421"));
        assert!(ask(address, "/", "Host: [::1]:80\r\n").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn with_a_token_nobody_comes_in_without_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "s3cret\n").unwrap();
        let address = served(&Config { token_file: Some(file), ..closed() }).await;
        let host = "Host: localhost\r\n";
        let refused = ask(address, "/metrics", host).await;
        assert!(refused.starts_with("HTTP/1.1 401") && !refused.contains("s3cret"), "{refused}");
        assert!(ask(address, "/", host).await.starts_with("HTTP/1.1 403"), "nobody can log in");
        assert!(ask(address, "/", "Host: x\r\n").await.starts_with("HTTP/1.1 421"));
        let wrong = ask(address, "/metrics", "Host: x\r\nAuthorization: Bearer s3cre\r\n").await;
        assert!(wrong.starts_with("HTTP/1.1 401"));
        let bearer = "Host: x\r\nAuthorization: Bearer s3cret\r\n";
        assert!(ask(address, "/", bearer).await.starts_with("HTTP/1.1 200"));
        let basic = format!("Host: x\r\nAuthorization: Basic {}\r\n", STANDARD.encode("u:s3cret"));
        assert!(ask(address, "/", &basic).await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/health", "Host: x\r\n").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_program_that_is_turned_away_is_told_so_as_of_any_other_problem() {
        let address = served(&closed()).await;
        let token = "Host: localhost\r\nAuthorization: Bearer weir_0\r\n";
        let page = "Host: localhost\r\nSec-Fetch-Mode: cors\r\n";
        for (headers, status, kind, asked) in [
            ("Host: localhost\r\n", 401, "token", true),
            (token, 401, "token", true),
            (page, 401, "token", false),
            ("Host: evil.example\r\n", 421, "host", false),
        ] {
            let said = ask(address, "/api/v1/status", headers).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
            assert!(said.contains("content-type: application/problem+json"), "{said}");
            assert!(said.contains(&format!("/api/v1/problems#{kind}\"")), "{said}");
            assert!(said.contains(&format!("\"status\":{status}")), "{said}");
            assert_eq!(said.contains("www-authenticate: Bearer"), asked, "{said}");
            let other = ask(address, "/live", headers).await;
            assert!(!other.contains("problem"), "{other}");
        }
    }

    #[tokio::test]
    async fn so_many_passwords_are_hashed_at_once_and_others_wait() {
        let folder = tempfile::TempDir::new().unwrap();
        let (users, password) = (folder.path().join("users.toml"), "willow-river-7");
        Accounts::change(&users, |all| all.add("li.na", Role::View, Some(password))).unwrap();
        let guard = Guard::new(&Config { users_file: Some(users), ..closed() }).unwrap();
        let (templates, hub) = (Templates::new().unwrap(), Hub::default());
        let shared = Arc::new(Shared { source: source(), guard, templates, hub });
        let all = u32::try_from(HASHES_MAX).unwrap();
        assert!(shared.guard.hashes.try_acquire_many(all + 1).is_err());
        let others = shared.guard.hashes.acquire_many(all).await.unwrap();
        let asked = Arc::clone(&shared);
        let login =
            tokio::spawn(async move { login::checked(&asked, "li.na", password.into()).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!login.is_finished(), "it takes 19 MiB more");
        drop(others);
        assert_eq!(login.await.unwrap().map(|account| account.name), Some("li.na".to_owned()));
    }

    #[tokio::test]
    async fn so_many_pages_are_kept_up_and_no_endless_address() {
        let address = served(&open()).await;
        let look = async |of: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /live?of={of} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            (String::from_utf8_lossy(&status).into_owned(), stream)
        };
        let mut lookers = Vec::new();
        for number in 0..TOPICS_MAX {
            let (status, stream) = look(&format!("/alerts?x={number}")).await;
            assert_eq!(status, "HTTP/1.1 200", "{number}");
            lookers.push(stream);
        }
        assert_eq!(look("/alerts?x=more").await.0, "HTTP/1.1 503");
        assert_eq!(look("/alerts?x=7").await.0, "HTTP/1.1 200", "one that is kept up anyway");
        let longest = "x".repeat(HERE_BYTES_MAX + 1);
        assert_eq!(look(&longest).await.0, "HTTP/1.1 400");
    }

    #[tokio::test]
    async fn a_door_that_is_open_to_all_is_not_opened() {
        for listen in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "[::ffff:127.0.0.1]:0"] {
            let config = Config { listen: listen.to_owned(), ..Config::default() };
            for fallback in [Fallback::Refuse, Fallback::FreePort] {
                let error = Server::bind(&config, fallback).await.unwrap_err().to_string();
                assert!(error.contains(listen) && error.contains("token_file"), "{error}");
                let config = Config { token_env: Some("PATH".to_owned()), ..config.clone() };
                let error = Server::bind(&config, fallback).await.unwrap_err().to_string();
                assert!(error.contains(listen) && error.contains("without TLS"), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_refused_or_another_one_found() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let config = Config { listen, ..Config::default() };
        assert!(Server::bind(&config, Fallback::Refuse).await.is_err());
        let server = Server::bind(&config, Fallback::FreePort).await.unwrap();
        assert_ne!(server.address(), taken.local_addr().unwrap());
    }
}

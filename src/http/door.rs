//! The door: who may come in, and what each address answers.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use crate::domain::asked::Asked;
use crate::http::Config;
use crate::http::act;
use crate::http::connections::{self, LIMITS};
use crate::http::live::{self, Hub};
use crate::http::pages;
use crate::http::templates::Templates;
use crate::http::view::PageView;
use crate::http::view::handover::HandoverView;
use crate::http::view::now::NowView;
use crate::http::view::strip::StripView;
use crate::http::visit::{Role, Visit};

/// What came of what a person asked for, or everything that is wrong with it.
pub type Acted = Result<Vec<String>, Vec<String>>;

/// What is shown, of something that may be named.
pub type Showing<A, V> = Box<dyn Fn(Option<&A>) -> V + Send + Sync>;

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
    /// The stations of the page of this number, from 1.
    pub page: Box<dyn Fn(usize) -> PageView + Send + Sync>,
    /// Takes in what a person asks for: what came of it, or everything that is wrong with it.
    pub act: Box<dyn Fn(Asked) -> Answering<Acted> + Send + Sync>,
    /// Why weir is not ready; empty if it is.
    pub unready: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Metrics as text.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
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
        "http.listen `{listen}` is open to others and there is no token; set http.token_file or \
         http.token_env, or listen on a loopback address such as 127.0.0.1:8420"
    )]
    Open {
        /// The address.
        listen: String,
    },
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
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
    templates: Templates,
}

/// Who may come in.
#[derive(Clone, Debug)]
struct Guard {
    token: Option<TokenDigest>,
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

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) source: Source,
    pub(super) templates: Templates,
    pub(super) hub: Hub,
}

impl Server {
    /// Listens. Elsewhere than on loopback only with a token.
    ///
    /// # Errors
    /// The port is taken, the token can't be read, or there is none where others may come in.
    pub async fn bind(config: &Config, fallback: Fallback) -> Result<Self, Error> {
        let token = token(config)?.map(|token| TokenDigest::of(token.expose_secret().as_bytes()));
        if token.is_none() && !config.is_loopback() {
            return Err(Error::Open { listen: config.listen.clone() });
        }
        let taken = |fault| Error::Taken { listen: config.listen.clone(), fault };
        let listener = match TcpListener::bind(&config.listen).await {
            Ok(listener) => listener,
            Err(_) if fallback == Fallback::FreePort => {
                TcpListener::bind("127.0.0.1:0").await.map_err(taken)?
            }
            Err(fault) => return Err(taken(fault)),
        };
        let address = listener.local_addr().map_err(taken)?;
        Ok(Self { listener, address, guard: Guard { token }, templates: Templates::new()? })
    }

    /// Gives the address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to end; then what is under way has a little time left.
    pub async fn serve(self, source: Source, until: impl Future<Output = ()>) {
        let shared = Arc::new(Shared { source, templates: self.templates, hub: Hub::default() });
        let guarded = Router::new()
            .route("/", get(pages::get))
            .route("/api/page", get(page_json))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .route("/style.css", get(style))
            .route("/live.js", get(script))
            .route("/icon.svg", get(icon))
            .route("/live", get(live::get))
            .route("/act", post(act::post))
            .fallback(get(pages::get))
            .with_state(shared)
            .layer(middleware::from_fn_with_state(self.guard, guard));
        let router = Router::new()
            .route("/health", get(async || "ok\n"))
            .merge(guarded)
            .layer(middleware::map_response(harden));
        connections::serve(self.listener, router, until, LIMITS).await;
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

async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match &guard.token {
        Some(token) if !carries(request.headers(), token) => (
            StatusCode::UNAUTHORIZED,
            [(WWW_AUTHENTICATE, "Basic realm=\"weir\", charset=\"UTF-8\"")],
            "the token is asked for: as Bearer, or as the password of any user\n",
        )
            .into_response(),
        // Without a token, a page elsewhere could read this one through a name of its own.
        None if !is_loopback(request.headers()) => {
            (StatusCode::MISDIRECTED_REQUEST, "ask for 127.0.0.1 or localhost\n").into_response()
        }
        Some(_) | None => {
            let mut request = request;
            let visit = Visit::of(&request, "", Role::Admin);
            request.extensions_mut().insert(visit);
            next.run(request).await
        }
    }
}

fn carries(headers: &HeaderMap, token: &TokenDigest) -> bool {
    let offered = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let Some((scheme, rest)) = offered.and_then(|offered| offered.split_once(' ')) else {
        return false;
    };
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => token.is_of(rest.trim().as_bytes()),
        "basic" => STANDARD.decode(rest.trim()).is_ok_and(|pair| {
            let colon = pair.iter().position(|byte| *byte == b':');
            colon.and_then(|at| pair.get(at + 1..)).is_some_and(|password| token.is_of(password))
        }),
        _ => false,
    }
}

fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
        img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Deserialize)]
struct Part {
    page: Option<String>,
}

async fn page_json(State(shared): State<Arc<Shared>>, Query(part): Query<Part>) -> Json<PageView> {
    let number = part.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1);
    Json((shared.source.page)(number))
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

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

async fn script() -> Response {
    let kind = "text/javascript; charset=utf-8";
    ([(CONTENT_TYPE, kind)], include_str!("live.js")).into_response()
}

async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml")], include_str!("icon.svg")).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::view::PartView;

    fn source() -> Source {
        Source {
            strip: Box::new(StripView::default),
            now: Box::new(NowView::default),
            handover: Box::new(|_| HandoverView::default()),
            page: Box::new(|number| {
                let part = PartView { number, of: 3, ..PartView::default() };
                PageView { part, ..PageView::default() }
            }),
            act: Box::new(|_| Box::pin(async { Ok(vec!["done".to_owned()]) })),
            unready: Box::new(|| vec!["broker rivers is away".to_owned()]),
            metrics: Box::new(|| "weir_up 1\n".to_owned()),
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

    fn open() -> Config {
        Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() }
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
        assert!(ask(address, "/api/page", host).await.contains("\"alerts\":[]"));
        assert!(ask(address, "/api/page?page=2", host).await.contains("\"number\":2"));
        let second = ask(address, "/stations?page=2&lang=zh", host).await;
        assert!(second.contains("href=\"/stations?page=3\""), "{second}");
        assert!(ask(address, "/?page=x", host).await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/style.css", host).await.contains("text/css"));
        assert!(ask(address, "/x", host).await.starts_with("HTTP/1.1 404"));
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
        let address = served(&Config { token_file: Some(file), ..open() }).await;
        let refused = ask(address, "/", "Host: x\r\n").await;
        assert!(refused.starts_with("HTTP/1.1 401") && !refused.contains("s3cret"), "{refused}");
        let wrong = ask(address, "/metrics", "Host: x\r\nAuthorization: Bearer s3cre\r\n").await;
        assert!(wrong.starts_with("HTTP/1.1 401"));
        let bearer = "Host: x\r\nAuthorization: Bearer s3cret\r\n";
        assert!(ask(address, "/", bearer).await.starts_with("HTTP/1.1 200"));
        let basic = format!("Host: x\r\nAuthorization: Basic {}\r\n", STANDARD.encode("u:s3cret"));
        assert!(ask(address, "/", &basic).await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/health", "Host: x\r\n").await.starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_token_is_its_own_bytes_and_no_beginning_of_them() {
        let token = TokenDigest::of(b"s3cret");
        assert!(token.is_of(b"s3cret"));
        for other in ["", "s", "s3cre", "s3crex", "x3cret", "s3cret ", "s3crets3cret", "S3CRET"] {
            assert!(!token.is_of(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "TokenDigest(…)");
    }

    #[tokio::test]
    async fn a_door_that_is_open_to_all_is_not_opened() {
        for listen in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "[::ffff:127.0.0.1]:0"] {
            let config = Config { listen: listen.to_owned(), ..Config::default() };
            for fallback in [Fallback::Refuse, Fallback::FreePort] {
                let error = Server::bind(&config, fallback).await.unwrap_err().to_string();
                assert!(error.contains(listen) && error.contains("token_file"), "{error}");
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

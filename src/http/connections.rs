//! The connections of the door: how many there are, how long each may take, and how they end.
//! Nobody who is slow or silent may keep others out, or weir from stopping.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::http::guard::Peer;

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many there may be; for one more the oldest ends. Who asks for a page takes milliseconds,
    /// and who looks at one comes back, so that is mostly one who is slow or silent. A hundred
    /// browsers have two each, one for news.
    connections_max: usize,
    /// How many headers a request may have, and how many bytes its head.
    headers_max: usize,
    head_bytes_max: usize,
    /// How long the head of a request may take, and the wait for it.
    head: Duration,
    /// How long a connection may last; a browser then opens another.
    connection: Duration,
    /// How long what is under way may take once weir stops.
    grace: Duration,
}

/// The limits that hold.
pub(super) const LIMITS: Limits = Limits {
    connections_max: 256,
    headers_max: 64,
    head_bytes_max: 32 << 10,
    head: Duration::from_secs(10),
    connection: Duration::from_mins(1),
    grace: Duration::from_secs(2),
};
/// How long to wait where a connection can't be accepted, because files have run out.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until it is told to end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    until: impl Future<Output = ()>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
) {
    let mut places: VecDeque<AbortHandle> = VecDeque::new();
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut until = pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (stream, from) = accept(&listener) => {
                places.retain(|place| !place.is_finished());
                if places.len() >= limits.connections_max
                    && let Some(oldest) = places.pop_front()
                {
                    oldest.abort();
                }
                let (router, stopped) = (router.clone(), stopped.clone());
                let answering = Answering { router, from: Peer(from.ip()), stopped, limits };
                places.push_back(connections.spawn(answering.begin(stream, tls.clone())));
            }
        }
    }
    // Nobody new is let in while the others leave.
    drop(listener);
    stop.send_replace(true);
    let left = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.grace, left).await.is_err() {
        connections.shutdown().await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What answers on one connection.
struct Answering {
    router: Router,
    from: Peer,
    stopped: watch::Receiver<bool>,
    limits: Limits,
}

impl Answering {
    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.serve(stream).await,
            Some(tls) => {
                // Who can't shake hands, or takes too long, is let go.
                if let Ok(Ok(stream)) = timeout(self.limits.head, tls.accept(stream)).await {
                    self.serve(stream).await;
                }
            }
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self { router, from, mut stopped, limits } = self;
        let inner = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(from);
            inner.call(request)
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_headers(limits.headers_max)
            .max_buf_size(limits.head_bytes_max);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // What breaks a connection is its client's affair.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.wait_for(|stop| *stop) => {}
            () = sleep(limits.connection) => {}
        }
        connection.as_mut().graceful_shutdown();
        timeout(limits.grace, connection).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const UNFINISHED: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    const WHOLE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    /// Long enough for never, in a test.
    const NEVER: Duration = Duration::from_secs(3_600);

    struct Door {
        address: std::net::SocketAddr,
        stop: watch::Sender<bool>,
        ended: tokio::task::JoinHandle<()>,
    }

    async fn door(limits: Limits) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let router = Router::new().route("/", get(async || "well"));
        let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
        let ended = tokio::spawn(serve(listener, router, until, None, limits));
        Door { address, stop, ended }
    }

    async fn send(door: &Door, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Waits until the other side has ended the connection, in order or not.
    async fn gone(mut stream: TcpStream) {
        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
    }

    #[tokio::test]
    async fn a_head_that_is_never_finished_ends_the_connection() {
        let door = door(Limits { head: Duration::from_millis(50), ..LIMITS }).await;
        let slow = send(&door, UNFINISHED).await;
        assert!(!timeout(LIMITS.head / 2, answer(slow)).await.unwrap().contains("200"));
    }

    #[tokio::test]
    async fn an_unfinished_request_holds_up_no_stop() {
        let limits =
            Limits { head: NEVER, connection: NEVER, grace: Duration::from_millis(50), ..LIMITS };
        let door = door(limits).await;
        let slow = send(&door, UNFINISHED).await;
        // Answered is who came after it, so it is in.
        assert!(answer(send(&door, WHOLE).await).await.ends_with("well"));
        door.stop.send_replace(true);
        timeout(LIMITS.head, door.ended).await.unwrap().unwrap();
        drop(slow);
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_oldest_gives_way() {
        let limits = Limits { connections_max: 2, head: NEVER, connection: NEVER, ..LIMITS };
        let door = door(limits).await;
        let (first, mut second) = (send(&door, UNFINISHED).await, send(&door, UNFINISHED).await);
        let third = timeout(LIMITS.head, answer(send(&door, WHOLE).await)).await.unwrap();
        assert!(third.ends_with("well"));
        assert_eq!(timeout(LIMITS.head, gone(first)).await, Ok(()));
        second.write_all(b"yes\r\nConnection: close\r\n\r\n").await.unwrap();
        let second = timeout(LIMITS.head, answer(second)).await.unwrap();
        assert!(second.ends_with("well"), "the younger stays: {second}");
    }

    #[tokio::test]
    async fn who_does_not_read_is_let_go() {
        let grace = Duration::from_millis(50);
        let limits = Limits { head: NEVER, connection: grace, grace, ..LIMITS };
        let door = door(limits).await;
        let mut deaf = TcpStream::connect(door.address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        // It asks and asks, until nothing more goes in either direction, and hears nothing.
        let asking = async { while deaf.write_all(request).await.is_ok() {} };
        timeout(LIMITS.head, asking).await.expect("it was let go");
    }

    #[tokio::test]
    async fn a_connection_lasts_no_longer_than_it_may() {
        let limits = Limits { head: NEVER, connection: Duration::from_millis(50), ..LIMITS };
        let door = door(limits).await;
        let kept = send(&door, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(timeout(LIMITS.head, answer(kept)).await.unwrap().ends_with("well"));
    }
}

//! The connections of the door: how many there are, how long each may take, and how they end.
//! Nobody who is slow or silent may keep others out, or weir from stopping.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many there may be; more wait until one ends.
    connections_max: usize,
    /// How long the head of a request may take, and the wait for it.
    head: Duration,
    /// How long a connection may last; a browser then opens another.
    connection: Duration,
    /// How long what is under way may take once weir stops.
    grace: Duration,
}

/// The limits that hold.
pub(super) const LIMITS: Limits = Limits {
    connections_max: 64,
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
    limits: Limits,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut until = pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (stream, place) = accept(&listener, &places) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    one(stream, router, stopped, limits).await;
                    drop(place);
                });
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

/// Takes a place and then a connection, so that those who wait do so outside.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn one(
    stream: TcpStream,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    limits: Limits,
) {
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
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
        let ended = tokio::spawn(serve(listener, router, until, limits));
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
    async fn when_all_places_are_taken_the_next_one_waits() {
        let limits = Limits { connections_max: 2, head: Duration::from_millis(200), ..LIMITS };
        let door = door(limits).await;
        let slow = [send(&door, UNFINISHED).await, send(&door, UNFINISHED).await];
        let waiting = send(&door, WHOLE).await;
        let mut waiting = tokio::spawn(answer(waiting));
        assert!(timeout(limits.head / 4, &mut waiting).await.is_err(), "answered beyond the limit");
        assert!(timeout(LIMITS.head, waiting).await.unwrap().unwrap().ends_with("well"));
        drop(slow);
    }

    #[tokio::test]
    async fn a_connection_lasts_no_longer_than_it_may() {
        let limits = Limits { head: NEVER, connection: Duration::from_millis(50), ..LIMITS };
        let door = door(limits).await;
        let kept = send(&door, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(timeout(LIMITS.head, answer(kept)).await.unwrap().ends_with("well"));
    }
}

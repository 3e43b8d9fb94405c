//! A stream from which only so much is read: a server that says more is none. Before STARTTLS it is
//! read byte by byte, so that nothing plain is left over to be taken for what was encrypted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that a server may say in one connection, bytes; its certificates are some of them.
const SAID_BYTES_MAX: usize = 256 << 10;

/// A stream and what may still be read from it.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    peer: SocketAddr,
    left: usize,
    /// Whether it hands out one byte a read: who buffers it holds nothing behind the line that it
    /// asked for. What somebody on the way adds to the answer to STARTTLS breaks the handshake.
    bytewise: bool,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream, peer, left: SAID_BYTES_MAX, bytewise: false }
    }

    pub(super) fn bytewise(self, bytewise: bool) -> Self {
        Self { bytewise, ..self }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = if self.bytewise && into.remaining() > 1 {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut one);
            into.put_slice(one.filled());
            read
        } else {
            Pin::new(&mut self.stream).poll_read(context, into)
        };
        let said = into.filled().len().saturating_sub(before);
        match self.left.checked_sub(said) {
            Some(left) => self.left = left,
            None => {
                let words = format!("the server says more than {SAID_BYTES_MAX} bytes");
                return Poll::Ready(Err(io::Error::other(words)));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S> AsyncTokioStream for Bounded<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    #[tokio::test]
    async fn nothing_plain_is_left_behind_the_answer_to_starttls() {
        for (bytewise, want) in [(true, ""), (false, "250 injected\r\n")] {
            let said: &[u8] = b"220 ready\r\n250 injected\r\n";
            let stream = Bounded::new(said, ([127, 0, 0, 1], 25).into()).bytewise(bytewise);
            let (mut buffered, mut line) = (BufReader::new(stream), String::new());
            buffered.read_line(&mut line).await.unwrap();
            assert_eq!(line, "220 ready\r\n");
            assert_eq!(buffered.buffer(), want.as_bytes());
        }
    }
}

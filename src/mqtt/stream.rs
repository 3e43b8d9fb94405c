//! The byte stream to a broker: TCP, or TLS over it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::domain::time::Timestamp;
use crate::mqtt::Error;
use crate::mqtt::certificate;
use crate::mqtt::config::Config;

/// A connected stream.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) async fn connect(config: &Config) -> Result<Self, Error> {
        let bad = || Error::Url { url: config.url.clone() };
        let url = Url::parse(&config.url).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let secure = url.scheme() == "mqtts";
        let port = url.port().unwrap_or(if secure { 8_883 } else { 1_883 });
        let away =
            |error: io::Error| Error::Away { url: config.url.clone(), fault: error.to_string() };
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(away)?;
        tcp.set_nodelay(true).map_err(away)?;
        if !secure {
            return Ok(Self::Plain(tcp));
        }
        let name = ServerName::try_from(host).map_err(|_| bad())?;
        let connector = TlsConnector::from(Arc::new(client(config)?));
        let stream = connector
            .connect(name, tcp)
            .await
            .map_err(|error| Error::Tls { url: config.url.clone(), fault: error.to_string() })?;
        Ok(Self::Secure(Box::new(stream)))
    }

    /// Gives when the certificate ends that the broker shows.
    pub(super) fn certificate_end(&self) -> Option<Timestamp> {
        match self {
            Self::Plain(_) => None,
            Self::Secure(stream) => {
                certificate::end(stream.get_ref().1.peer_certificates()?.first()?)
            }
        }
    }

    /// Waits until there is something to read. Given up at any time, it loses nothing.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.readable().await,
            Self::Secure(stream) => stream.get_ref().0.readable().await,
        }
    }

    /// Reads what is there, about `bytes_max` of it, without waiting. `Ok(false)` is the end.
    pub(super) async fn drain(
        &mut self,
        into: &mut BytesMut,
        bytes_max: usize,
    ) -> io::Result<bool> {
        let until = into.len() + bytes_max;
        while into.len() < until {
            into.reserve(64 << 10);
            let read = async {
                match self {
                    Self::Plain(stream) => stream.read_buf(into).await,
                    Self::Secure(stream) => stream.read_buf(into).await,
                }
            };
            tokio::select! {
                biased;
                read = read => if read? == 0 { return Ok(false) },
                () = std::future::ready(()) => break,
            }
        }
        Ok(true)
    }

    /// Reads once, waiting for it.
    pub(super) async fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        into.reserve(16 << 10);
        match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Secure(stream) => stream.read_buf(into).await,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Secure(stream) => stream.shutdown().await,
        }
    }
}

pub(super) fn client(config: &Config) -> Result<rustls::ClientConfig, Error> {
    let authority =
        config.ca_file.as_ref().ok_or_else(|| Error::Url { url: config.url.clone() })?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates("ca_file", authority)? {
        roots.add(certificate).map_err(|error| unusable("ca_file", authority, &error))?;
    }
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let (Some(own), Some(key)) = (&config.certificate_file, &config.key_file) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates("certificate_file", own)?;
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("key_file", key, &error))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| unusable("key_file", key, &error))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(key, path, &error))?;
    let chain: Vec<_> =
        read.collect::<Result<_, _>>().map_err(|error| unusable(key, path, &error))?;
    if chain.is_empty() { Err(unusable(key, path, &"no certificate in it")) } else { Ok(chain) }
}

fn unusable(key: &'static str, path: &Path, fault: &dyn std::fmt::Display) -> Error {
    Error::File { key, path: PathBuf::from(path), fault: fault.to_string() }
}

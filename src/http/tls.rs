//! The certificate of the page. Its files are looked at again while weir runs, so that a renewed
//! one is shown without a restart.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::domain::fault::SettingFault;
use crate::http::Config;

/// How often the files are looked at for changes, at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// By which a file that was changed or replaced differs.
type Seen = Option<(u64, i64, i64)>;

/// A certificate with its key, as their files have them.
#[derive(Debug)]
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    looked: Instant,
    seen: [Seen; 2],
    pair: Arc<CertifiedKey>,
}

/// Makes what shakes hands by TLS; nothing where there is no certificate.
///
/// # Errors
/// A file can't be read, or they don't belong together.
pub(super) fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>, String> {
    let (Some(certificate), Some(key)) = (&config.certificate_file, &config.key_file) else {
        return Ok(None);
    };
    let shown = Shown::new(certificate, key, Instant::now())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let server = builder.with_no_client_auth().with_cert_resolver(Arc::new(shown));
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

/// Tells what is wrong with the certificate of a configuration.
pub(super) fn faults(config: &Config) -> Option<SettingFault> {
    match (&config.certificate_file, &config.key_file) {
        (None, None) => None,
        (Some(_), None) => {
            let found = "certificate_file without key_file";
            Some(SettingFault::new("certificate_file", found, "both or neither"))
        }
        (None, Some(_)) => {
            let found = "key_file without certificate_file";
            Some(SettingFault::new("key_file", found, "both or neither"))
        }
        (Some(certificate), Some(key)) => {
            let expected = "a certificate with its chain, and its key, both PEM";
            let fault = pair(certificate, key).err()?;
            Some(SettingFault::new("certificate_file", fault, expected))
        }
    }
}

fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let said =
        |path: &Path, error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate);
    let chain: Result<Vec<_>, _> = chain.and_then(Iterator::collect);
    let chain = chain.map_err(|error| said(certificate, &error))?;
    if chain.is_empty() {
        return Err(said(certificate, &"no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, &error))?;
    // Its words name both, and neither's content.
    CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| said(key, &error))
}

fn seen(path: &Path) -> Seen {
    fs::metadata(path).ok().map(|is| (is.ino(), is.mtime(), is.mtime_nsec()))
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(Instant::now()))
    }
}

impl Shown {
    fn new(certificate: &Path, key: &Path, looked: Instant) -> Result<Self, String> {
        let pair = Arc::new(pair(certificate, key)?);
        let held = Mutex::new(Held { looked, seen: [seen(certificate), seen(key)], pair });
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), held })
    }

    fn at(&self, now: Instant) -> Arc<CertifiedKey> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(held.looked) >= LOOK_EVERY {
            held.looked = now;
            let seen = [seen(&self.certificate), seen(&self.key)];
            if seen != held.seen {
                held.seen = seen;
                match pair(&self.certificate, &self.key) {
                    Ok(pair) => {
                        held.pair = Arc::new(pair);
                        tracing::info!("The page shows another certificate.");
                    }
                    Err(error) => {
                        tracing::error!(error, "The page shows the certificate of before.");
                    }
                }
            }
        }
        Arc::clone(&held.pair)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn write(folder: &Path) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join("page.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("page.key"), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    fn config(folder: &Path) -> Config {
        Config {
            certificate_file: Some(folder.join("page.pem")),
            key_file: Some(folder.join("page.key")),
            ..Config::default()
        }
    }

    #[track_caller]
    fn fault(config: &Config) -> String {
        faults(config).unwrap().found
    }

    #[test]
    fn a_pair_that_is_none_is_told_without_its_key() {
        let folder = tempfile::TempDir::new().unwrap();
        let whole = config(folder.path());
        assert!(fault(&whole).contains("page.pem"), "neither is there");
        write(folder.path());
        assert!(faults(&whole).is_none() && acceptor(&whole).unwrap().is_some());
        fs::write(folder.path().join("page.key"), KeyPair::generate().unwrap().serialize_pem())
            .unwrap();
        let told = fault(&whole);
        assert!(told.contains("page.key") && !told.contains("PRIVATE"), "{told}");
        fs::write(folder.path().join("page.pem"), "").unwrap();
        assert!(fault(&whole).contains("no certificate in it"));
        let half = Config { key_file: None, ..whole };
        assert!(fault(&half).contains("without key_file"));
    }

    #[test]
    fn a_renewed_certificate_is_shown_without_a_restart_and_half_of_one_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let first = write(folder.path());
        let [pem, key] = ["page.pem", "page.key"].map(|name| folder.path().join(name));
        let start = Instant::now();
        let shown = Shown::new(&pem, &key, start).unwrap();
        let chain = |after: u32| shown.at(start + LOOK_EVERY * after).cert.clone();
        let whole = fs::read(&key).unwrap();
        let second = write(folder.path());
        let renewed = fs::read(&key).unwrap();
        assert_eq!(shown.at(start + LOOK_EVERY / 2).cert, std::slice::from_ref(&first));
        fs::write(&key, whole).unwrap();
        assert_eq!(chain(1), [first], "its key is of the one before");
        fs::write(&key, renewed).unwrap();
        assert_eq!(chain(2), [second]);
    }
}

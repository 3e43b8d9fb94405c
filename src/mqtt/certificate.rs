//! When certificates end: those of files that the configuration names, and the one that a broker
//! shows.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::parse_x509_certificate;

use crate::domain::time::{SECOND, Timestamp};

/// Gives when the first certificate of a PEM file ends that ends. The file may hold a chain: with
/// one link of it all of it ends.
///
/// # Errors
/// The file can't be read, or holds no certificate.
pub fn end_of_file(path: &Path) -> Result<Timestamp, String> {
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let mut first = None;
    for certificate in chain {
        let certificate = certificate.map_err(|error| error.to_string())?;
        let end = end(&certificate).ok_or("a certificate in it can't be read")?;
        first = Some(first.map_or(end, |first: Timestamp| first.min(end)));
    }
    first.ok_or_else(|| String::from("no certificate in it"))
}

/// Gives when a certificate ends: its `notAfter`.
pub(super) fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    seconds.checked_mul(SECOND).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pem(year: i32) -> String {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 2, 28);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[track_caller]
    fn check(text: &str, want: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.pem");
        std::fs::write(&path, text).unwrap();
        let utc = jiff::tz::TimeZone::UTC;
        let found = end_of_file(&path).map(|end| end.rfc3339(&utc));
        assert_eq!(found.as_deref().map_err(|fault| &**fault), want);
    }

    #[test]
    fn of_a_chain_the_first_end_counts() {
        let later = pem(2051);
        check(&later, Ok("2051-02-28T00:00:00+00:00"));
        check(&format!("{later}{}{later}", pem(2027)), Ok("2027-02-28T00:00:00+00:00"));
    }

    #[test]
    fn what_holds_no_certificate_is_said() {
        check("", Err("no certificate in it"));
        let key = KeyPair::generate().unwrap().serialize_pem();
        check(&key, Err("no certificate in it"));
        let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        check(empty, Err("a certificate in it can't be read"));
    }
}

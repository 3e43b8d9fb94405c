//! A webhook: JSON or a template of it by POST, signed, with the notification's id.

use hmac::{Hmac, Mac as _};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::http::Http;
use super::template::Template;
use super::{Config, Error, Sent, sample};

/// The header with the notification's id.
pub const ID_HEADER: &str = "X-Weir-Notification-Id";
/// The header with `sha256=` and the body's HMAC-SHA-256 in hex, where a secret is set.
pub const SIGNATURE_HEADER: &str = "X-Weir-Signature";

/// A webhook that is ready to send.
#[derive(Debug)]
pub struct Webhook {
    pub(super) http: Http,
    secret: Option<SecretString>,
    template: Option<Template>,
}

impl Webhook {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let secret = config.secret()?;
        let http = Http::new(config, secret.clone())?;
        Ok(Self { http, secret, template: Template::read(config)? })
    }

    /// Gives everything that is wrong with the section; the template is tried on a sample.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let written = Template::read(config).and_then(|template| match template {
            Some(template) => template.try_on(config, &sample()),
            None => Ok(()),
        });
        let mut faults = Http::faults(config);
        faults.extend([config.secret().err(), written.err()].into_iter().flatten());
        faults
    }

    pub(super) async fn send(&self, id: &str, body: &Value) -> Sent {
        let (text, kind) = match self.write(id, body) {
            Ok(written) => written,
            Err(error) => {
                let words = format!("the template fails: {error}");
                return Sent::Refused { status: None, words };
            }
        };
        let mut request = self.http.post().header(CONTENT_TYPE, kind).header(ID_HEADER, id);
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE_HEADER, signature(secret, text.as_bytes()));
        }
        match self.http.send(request.body(text)).await {
            Ok(answer) => answer.sent(),
            Err(sent) => sent,
        }
    }

    /// Writes the body and says what it is.
    fn write(&self, id: &str, body: &Value) -> Result<(String, &'static str), minijinja::Error> {
        const JSON: &str = "application/json";
        let Some(template) = &self.template else { return Ok((body.to_string(), JSON)) };
        let text = template.write(id, body)?;
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        Ok((text, if is_json { JSON } else { "text/plain; charset=utf-8" }))
    }
}

fn signature(secret: &SecretString, body: &[u8]) -> String {
    let mut text = String::from("sha256=");
    // HMAC takes a key of any length (RFC 2104).
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) {
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text
}

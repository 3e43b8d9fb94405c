//! The letter: one notice as a mail, in text and HTML, in the language of its channel or in both.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::domain::time::Timestamp;
use crate::notify::Config;
use crate::notify::config::Language;
use crate::notify::text::{ALERTS_SHOWN_MAX, Context, Form, Texts};

/// The longest text, in one language, bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// The longest HTML, bytes; beyond, the text goes alone.
const HTML_BYTES_MAX: usize = 512 << 10;
/// The longest subject, characters.
const SUBJECT_CHARS_MAX: usize = 200;
/// How much of a notification's id stands in that of a mail, bytes; a digest of all of it does too.
const ID_BYTES_MAX: usize = 64;

const HTML: &str = include_str!("letter.html.jinja");

/// Writes the letters of a channel.
pub(super) struct Writer {
    channel: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    texts: Vec<Texts>,
    /// Whether the operator's template writes the HTML or, if there is one, the text.
    template: Option<Place>,
    environment: Environment<'static>,
}

/// Which part of a mail an operator's template writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Html,
}

impl Writer {
    pub(super) fn new(config: &Config, from: Mailbox, to: Vec<Mailbox>) -> Self {
        let template = config.template.as_ref().map(|path| {
            let is_html = path.extension().is_some_and(|ending| ending == "html");
            if is_html { Place::Html } else { Place::Text }
        });
        // Where none is said both are written; a template writes one.
        let languages = match (config.language, template) {
            (Some(language), _) => vec![language],
            (None, Some(_)) => vec![Language::default()],
            (None, None) => vec![Language::Zh, Language::En],
        };
        let texts = languages
            .into_iter()
            .map(|language| Texts::new(&Config { language: Some(language), ..config.clone() }));
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        // It compiles: the tests write it.
        environment.add_template("letter.html", HTML).ok();
        let (channel, texts) = (config.name.clone(), texts.collect());
        Self { channel, from, to, texts, template, environment }
    }

    pub(super) fn from(&self) -> &Mailbox {
        &self.from
    }

    pub(super) fn to(&self) -> &[Mailbox] {
        &self.to
    }

    /// Writes a notice. The same id makes the same Message-ID, so that who gets it twice can know;
    /// notices of one thread name the same mail that they follow (RFC 5322, 3.6.4).
    pub(super) fn write(&self, id: &str, body: &Value, now: Timestamp) -> Result<Message, String> {
        let since_epoch = Duration::from_millis(now.millis().try_into().unwrap_or(0));
        let thread = self.thread(body["groupKey"].as_str().unwrap_or_default());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .subject(self.subject(body))
            .message_id(Some(self.message_id(id)))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Weir-Notification-Id", &plain(id, ID_BYTES_MAX)));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let (text, html) = self.parts(id, body);
        let text = SinglePart::plain(printable(&text));
        let written = match html {
            None => builder.singlepart(text),
            Some(html) => {
                let both = MultiPart::alternative().singlepart(text);
                builder.multipart(both.singlepart(SinglePart::html(printable(&html))))
            }
        };
        written.map_err(|error| error.to_string())
    }

    fn subject(&self, body: &Value) -> String {
        let titles: Vec<String> = self.texts.iter().map(|texts| texts.title(body)).collect();
        let subject = titles.join(" / ").replace(|one: char| one.is_control(), " ");
        subject.chars().take(SUBJECT_CHARS_MAX).collect()
    }

    /// Writes text and HTML.
    fn parts(&self, id: &str, body: &Value) -> (String, Option<String>) {
        let own = |texts: &Texts| texts.own_text(id, body, Form::Plain, TEXT_BYTES_MAX);
        let write = |texts: &Texts| texts.write(id, body, Form::Plain, TEXT_BYTES_MAX);
        let join = |parts: Vec<String>| parts.join("\n\n--------\n\n");
        match self.template {
            None => (join(self.texts.iter().map(own).collect()), self.html(id, body)),
            Some(Place::Text) => (join(self.texts.iter().map(write).collect()), None),
            Some(Place::Html) => {
                let of = |texts: &Texts| texts.by_file(id, body, &Context::new());
                match self.texts.iter().find_map(of) {
                    Some(Ok(html)) if html.len() <= HTML_BYTES_MAX => {
                        (join(self.texts.iter().map(own).collect()), Some(html))
                    }
                    // It fails, and the text says so.
                    _ => (join(self.texts.iter().map(write).collect()), None),
                }
            }
        }
    }

    fn html(&self, id: &str, body: &Value) -> Option<String> {
        let view = |texts: &Texts| texts.view(id, body, ALERTS_SHOWN_MAX, &Context::new());
        let views: Vec<Context> = self.texts.iter().map(view).collect();
        let template = self.environment.get_template("letter.html").ok()?;
        let html = template.render(minijinja::context! { views => Serde(&views), id }).ok()?;
        (html.len() <= HTML_BYTES_MAX).then_some(html)
    }

    fn message_id(&self, id: &str) -> String {
        let digest = xxh3_64(format!("{}\n{id}", self.channel).as_bytes());
        let (id, domain) = (plain(id, ID_BYTES_MAX), self.from.email.domain());
        format!("<{id}.{digest:016x}@{domain}>")
    }

    /// Names the mail that all of a thread follow. It need not have been sent: mail programs put
    /// together what follows the same one.
    fn thread(&self, group: &str) -> String {
        let digest = xxh3_64(format!("{}\n{group}", self.channel).as_bytes());
        format!("<thread.{digest:016x}@{}>", self.from.email.domain())
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Gives a text without what steers a terminal or ends a string of C.
fn printable(text: &str) -> String {
    text.replace(|one: char| one.is_control() && !matches!(one, '\n' | '\t'), " ")
}

/// Gives a text as it may stand in a header or an id.
fn plain(text: &str, bytes_max: usize) -> String {
    let fits = |one: char| if one.is_ascii_alphanumeric() || one == '-' { one } else { '_' };
    text.chars().map(fits).take(bytes_max).collect()
}

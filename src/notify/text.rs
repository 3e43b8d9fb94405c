//! What a notification reads like: a title, a plain text, a text in Markdown, each in the language
//! of its channel. weir's own words are templates, too; an operator's file takes their place. One
//! that fails never costs a notification: weir's own words go out, and say so.

pub(super) mod view;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::config::Language;
use super::{Config, Error};

/// How many alerts of a notice are written out; of the others is said how many they are.
pub const ALERTS_SHOWN_MAX: usize = 10;
/// How long a title is at most, characters: a telephone shows no more of it.
pub const TITLE_CHARS_MAX: usize = 120;
/// The longest words about a template's fault, characters.
const FAULT_CHARS_MAX: usize = 200;

/// How a text is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Lines of plain text.
    Plain,
    /// Markdown, as chat robots understand it: bold, lists and links.
    Markdown,
    /// Markdown below a title of its own.
    Card,
}

/// weir's own texts.
const OWN: [(&str, &str); 4] = [
    ("zh.txt", include_str!("text/zh.txt.jinja")),
    ("zh.md", include_str!("text/zh.md.jinja")),
    ("en.txt", include_str!("text/en.txt.jinja")),
    ("en.md", include_str!("text/en.md.jinja")),
];

/// The texts of a channel, ready to write.
pub(super) struct Texts {
    channel: String,
    language: Language,
    environment: Environment<'static>,
    /// The operator's template.
    file: File,
}

/// What the operator's template is.
enum File {
    None,
    Name(String),
    /// It can't be read or compiled.
    Broken(String),
}

impl fmt::Debug for Texts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Texts").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Texts {
    /// Reads and compiles the operator's template, if there is one. With one that is broken the
    /// channel sends weir's own words.
    pub(super) fn new(config: &Config) -> Self {
        Self::read(config).unwrap_or_else(|error| {
            let channel = &*config.name;
            tracing::warn!(channel, "The template is broken, weir's own text is sent: {error}");
            let broken = File::Broken(error.to_string());
            Self::with(config, environment(), broken)
        })
    }

    /// Reads and compiles. The ending of the template's file decides what is escaped: in `.json`
    /// and `.html` all is.
    fn read(config: &Config) -> Result<Self, Error> {
        let mut environment = environment();
        let Some(path) = config.template.as_deref() else {
            return Ok(Self::with(config, environment, File::None));
        };
        let text = config.read("template", path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A file that is named as one of weir's own texts takes nothing from the others.
        environment.remove_template(&name);
        environment.add_template_owned(name.clone(), text).map_err(|error| Error::Template {
            channel: config.name.clone(),
            path: path.to_owned(),
            fault: error.to_string(),
        })?;
        Ok(Self::with(config, environment, File::Name(name)))
    }

    fn with(config: &Config, environment: Environment<'static>, file: File) -> Self {
        let language = config.language.unwrap_or_default();
        Self { channel: config.name.clone(), language, environment, file }
    }

    /// Tries the operator's template on a sample.
    ///
    /// # Errors
    /// It can't be read or compiled, or fails on the sample.
    pub(super) fn try_on(config: &Config, sample: &Value, more: &Context) -> Result<(), Error> {
        let texts = Self::read(config)?;
        let view = texts.view("sample", sample, ALERTS_SHOWN_MAX, more);
        let written = texts.file_text(&view).unwrap_or_else(|| Ok(String::new()));
        written.map(drop).map_err(|fault| Error::Template {
            channel: config.name.clone(),
            path: config.template.clone().unwrap_or_default(),
            fault,
        })
    }

    /// Writes the title: what kind of notice it is, and the sentence that says all.
    pub(super) fn title(&self, body: &Value) -> String {
        let (tag, headline) = (view::tag(body, self.language), view::headline(body, self.language));
        let title = match self.language {
            Language::En => format!("[{tag}] {headline}"),
            Language::Zh => format!("【{tag}】{headline}"),
        };
        cut(&title, TITLE_CHARS_MAX)
    }

    /// Writes the text by the operator's template, or weir's own, in so many bytes at most: where
    /// it is longer, fewer alerts are written out, and at last it is cut.
    pub(super) fn write(&self, id: &str, body: &Value, form: Form, bytes_max: usize) -> String {
        fit(bytes_max, |shown| {
            let view = self.view(id, body, shown, &Context::new());
            match self.file_text(&view) {
                Some(Ok(text)) => text.trim().to_owned(),
                Some(Err(fault)) => {
                    let own = self.own(&view, body, form);
                    format!("{own}\n\n{}", self.excuse(&fault))
                }
                None => self.own(&view, body, form),
            }
        })
    }

    /// As [`Texts::write`], but always weir's own text.
    pub(super) fn own_text(&self, id: &str, body: &Value, form: Form, bytes_max: usize) -> String {
        fit(bytes_max, |shown| self.own(&self.view(id, body, shown, &Context::new()), body, form))
    }

    /// Writes by the operator's template alone; `None` if there is none. What is wrong with it is
    /// said in the log.
    pub(super) fn by_file(
        &self,
        id: &str,
        body: &Value,
        more: &Context,
    ) -> Option<Result<String, String>> {
        self.file_text(&self.view(id, body, ALERTS_SHOWN_MAX, more))
    }

    fn file_text(&self, view: &Context) -> Option<Result<String, String>> {
        let written = match &self.file {
            File::None => return None,
            File::Broken(fault) => Err(fault.clone()),
            File::Name(name) => self.render(name, view).map_err(|error| error.to_string()),
        };
        if let Err(fault) = &written {
            let channel = &*self.channel;
            tracing::warn!(channel, "The template fails, so weir's own text is sent: {fault}");
        }
        Some(written.map_err(|fault| cut(&fault, FAULT_CHARS_MAX)))
    }

    /// Writes weir's own text.
    fn own(&self, view: &Context, body: &Value, form: Form) -> String {
        let ending = match form {
            Form::Plain => "txt",
            Form::Markdown | Form::Card => "md",
        };
        let name = format!("{}.{ending}", self.language.word());
        let mut view = view.clone();
        view.insert("card".to_owned(), (form == Form::Card).into());
        let text = self.render(&name, &view).unwrap_or_default();
        match text.trim() {
            "" => view::headline(body, self.language),
            text => text.to_owned(),
        }
    }

    /// Says that this is not what the operator's template would write.
    pub(super) fn excuse(&self, fault: &str) -> String {
        match self.language {
            Language::En => format!("(The template fails, so this is weir's own text: {fault})"),
            Language::Zh => format!("（模板出错，以上为weir内置文本：{fault}）"),
        }
    }

    fn render(&self, name: &str, view: &Context) -> Result<String, minijinja::Error> {
        self.environment.get_template(name)?.render(Serde(view))
    }

    /// Writes a template that stands in the configuration itself.
    pub(super) fn render_text(&self, text: &str, view: &Context) -> Result<String, String> {
        self.environment.render_str(text, Serde(view)).map_err(|error| error.to_string())
    }

    /// As [`Texts::render_text`]; what is not there is left out where it fails, for what has no
    /// text of weir's own in its place.
    pub(super) fn render_leniently(&self, text: &str, view: &Context) -> Result<String, String> {
        self.render_text(text, view).or_else(|fault| {
            let mut environment = self.environment.clone();
            environment.set_undefined_behavior(UndefinedBehavior::Chainable);
            let written = environment.render_str(text, Serde(view));
            let written = written.map_err(|error| error.to_string())?;
            let channel = &*self.channel;
            tracing::warn!(channel, "A template fails, so what is not there is left out: {fault}");
            Ok(written)
        })
    }

    /// Gives what templates know: all of the notification, and what of it is put in words. What a
    /// channel adds goes before.
    pub(super) fn view(&self, id: &str, body: &Value, shown: usize, more: &Context) -> Context {
        let mut view = view::view(id, body, self.language, shown);
        view.insert("title".to_owned(), self.title(body).into());
        view.extend(more.clone());
        view
    }
}

/// What a template knows, by name.
pub(super) type Context = Map<String, Value>;

/// weir's own texts, in which a line with a block alone leaves none.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // What gateways ask of who sends.
    environment.add_filter("base64", |text: String| STANDARD.encode(text));
    environment.add_filter("hmac_sha256", |text: String, key: String| hmac_sha256(&text, &key));
    let trimming = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(trimming.unwrap_or_default());
    for (name, text) in OWN {
        // They compile: the tests write them.
        environment.add_template(name, text).ok();
    }
    environment.set_syntax(SyntaxConfig::default());
    environment
}

/// Gives the HMAC-SHA-256 of a text in hex.
pub(super) fn hmac_sha256(text: &str, key: &str) -> String {
    // HMAC takes a key of any length (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a text of so many bytes at most.
fn fit(bytes_max: usize, write: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for shown in [ALERTS_SHOWN_MAX, 5, 3, 2, 1] {
        text = write(shown);
        if text.len() <= bytes_max {
            return text;
        }
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    text.truncate(end);
    text.push('…');
    text
}

/// Cuts a text to so many characters.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;

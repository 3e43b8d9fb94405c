//! Templates of operators: minijinja, compiled when the channel is made.

use std::fmt;

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::Value;

use super::{Config, Error};

/// A compiled template.
pub(super) struct Template {
    name: String,
    environment: Environment<'static>,
}

impl fmt::Debug for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Template {
    /// Compiles the template of a channel, if there is one. Its file's ending decides what is
    /// escaped: `.json` and `.html` are.
    pub(super) fn read(config: &Config) -> Result<Option<Self>, Error> {
        let Some(path) = config.template.as_deref() else { return Ok(None) };
        let text = config.read("template", path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.add_template_owned(name.clone(), text).map_err(|error| Error::Template {
            channel: config.name.clone(),
            path: path.to_owned(),
            fault: error.to_string(),
        })?;
        Ok(Some(Self { name, environment }))
    }

    /// Writes a notification.
    pub(super) fn write(&self, id: &str, body: &Value) -> Result<String, minijinja::Error> {
        let context = minijinja::context! { id, ..minijinja::Value::from(Serde(body)) };
        self.environment.get_template(&self.name)?.render(context)
    }

    /// Tries the template on a sample.
    pub(super) fn try_on(&self, config: &Config, sample: &Value) -> Result<(), Error> {
        self.write("sample", sample).map(drop).map_err(|error| Error::Template {
            channel: config.name.clone(),
            path: config.template.clone().unwrap_or_default(),
            fault: error.to_string(),
        })
    }
}

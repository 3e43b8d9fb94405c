//! What the database says of itself and of what it holds. influxdb2 is kept in a task of its own:
//! it panics on some answers, and that must end a question and not the daemon.

use std::collections::BTreeMap;
use std::future::Future;

use fallible_iterator::FallibleIterator as _;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::health::Status;
use influxdb2::models::{PostBucketRequest, Query};
use influxdb2::{ClientBuilder, RequestError};
use influxdb2_structmap::value::Value;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::domain::time::{HOUR, Timestamp};

use super::write::{Writer, authorise, read_words};
use super::{Config, Credentials, Dialect, Error, causes};

/// How many hours are asked for at once.
const HOURS_ASKED: i64 = 1_000;

/// What a database said when it was asked how it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Its version, if it tells.
    pub version: Option<String>,
    /// Whether it calls itself ready for work.
    pub ready: bool,
}

/// Whether a bucket had to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ensured {
    /// It was there, or the dialect has none.
    Held,
    /// It was made.
    Made,
}

/// Asks how the database is, and whether points may be written to the bucket: a write without
/// points, which stores nothing.
///
/// # Errors
/// The configuration is wrong, the database is away, or it does not let these credentials write.
pub async fn probe(config: &Config) -> Result<Health, Error> {
    let writer = Writer::new(config)?;
    let mut health = match config.dialect {
        Dialect::Influx2 if config.door("")?.path() == "/" => health_of_influx2(config).await?,
        Dialect::Influx2 | Dialect::Victoria => health_by_status(config, "health").await?,
        Dialect::Influx1 => health_by_status(config, "ping").await?,
    };
    let what = "a write without points";
    let response = writer.send_nothing().await.map_err(|error| away(config, error))?;
    let status = response.status();
    health.version = health.version.or_else(|| version(&response));
    if config.dialect == Dialect::Victoria {
        // It names the version of InfluxDB that it stands in for.
        health.version = None;
    }
    if status.is_success() {
        return Ok(health);
    }
    let words = read_words(response).await;
    Err(answered(config, what, status.as_u16(), &words))
}

/// Makes the bucket if it is not there: in InfluxDB 2 without an end of retention, in InfluxDB 1
/// the database with the retention that the server gives.
///
/// # Errors
/// The database is away or refuses, or the organisation is not there.
pub async fn ensure_bucket(config: &Config) -> Result<Ensured, Error> {
    match config.dialect {
        Dialect::Victoria => Ok(Ensured::Held),
        Dialect::Influx1 => ensure_database(config).await,
        Dialect::Influx2 => {
            let client = client(config)?;
            let (org, bucket) = (config.org.clone(), config.bucket.clone());
            apart(config, "buckets", async move { ensure(&client, org, bucket).await })
                .await?
                .ok_or_else(|| Error::NoOrg { org: config.org.clone() })
        }
    }
}

/// How many values there are, by the hour, counted from 1970.
pub type Hours = BTreeMap<i64, u64>;

/// Counts the values of a measurement, every field of every series, hour by hour from `first` to
/// before `last`. Hours without a value are left out.
///
/// # Errors
/// The dialect can't be asked, the database is away or refuses, or its answer is unreadable.
pub async fn count(
    config: &Config,
    measurement: &str,
    first: i64,
    last: i64,
) -> Result<Hours, Error> {
    let mut hours = Hours::new();
    let mut from = first;
    while from < last {
        // An answer has a row an hour, and its length is limited.
        let to = last.min(from + HOURS_ASKED);
        let period = (Timestamp(from * HOUR), Timestamp(to * HOUR));
        let counted = match config.dialect {
            Dialect::Influx2 | Dialect::Victoria => by_flux(config, measurement, period).await?,
            Dialect::Influx1 => by_influxql(config, measurement, period).await?,
        };
        for (at, count) in counted {
            *hours.entry(at.div_euclid(HOUR)).or_default() += count;
        }
        from = to;
    }
    Ok(hours)
}

async fn by_flux(
    config: &Config,
    measurement: &str,
    (start, stop): (Timestamp, Timestamp),
) -> Result<Vec<(i64, u64)>, Error> {
    let client = client(config)?;
    // Counts are of one type, whatever is counted, so they may be put together.
    let flux = format!(
        "from(bucket: {}) |> range(start: {}, stop: {}) \
         |> filter(fn: (r) => r._measurement == {}) |> window(every: 1h) |> count() \
         |> keep(columns: [\"_start\", \"_value\"]) |> group(columns: [\"_start\"]) |> sum()",
        quoted(&config.bucket),
        start.rfc3339(&TimeZone::UTC),
        stop.rfc3339(&TimeZone::UTC),
        quoted(measurement),
    );
    apart(config, "a count", async move {
        // The other two query functions panic on an answer that breaks off.
        let answer = client.query_raw_iter(Some(Query::new(flux))).await?;
        let mut records = answer.result();
        let mut counted = Vec::new();
        while let Some(record) = records.next()? {
            let (start, value) = (record.values.get("_start"), record.values.get("_value"));
            if let (Some(Value::TimeRFC(start)), Some(Value::Long(count))) = (start, value) {
                counted.push((start.timestamp_millis(), u64::try_from(*count).unwrap_or(0)));
            }
        }
        Ok(counted)
    })
    .await
}

async fn by_influxql(
    config: &Config,
    measurement: &str,
    (start, stop): (Timestamp, Timestamp),
) -> Result<Vec<(i64, u64)>, Error> {
    const WHAT: &str = "a count";
    config.check()?;
    let client =
        config.client()?.build().map_err(|error| Error::Client { fault: causes(&error) })?;
    let statement = format!(
        "SELECT count(*) FROM {} WHERE time >= {}ms AND time < {}ms GROUP BY time(1h) fill(none)",
        quoted_identifier(measurement),
        start.millis(),
        stop.millis()
    );
    let asked = [("db", &*config.bucket), ("epoch", "ms"), ("q", &statement)];
    let request = client.get(config.door("query")?).query(&asked);
    let request = authorise(request, &config.credentials()?, config.dialect);
    let response = request.send().await.map_err(|error| away(config, error))?;
    let status = response.status();
    if !status.is_success() {
        let words = read_words(response).await;
        return Err(answered(config, WHAT, status.as_u16(), &words));
    }
    let unreadable = |fault: String| Error::Unreadable { what: WHAT, fault };
    let body = response.bytes().await.map_err(|error| unreadable(causes(&error.without_url())))?;
    let answer: Counted =
        serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
    answer.rows().map_err(unreadable)
}

/// What InfluxDB 1 answers to a count: in each row a time, and a number a field.
#[derive(Deserialize)]
struct Counted {
    results: Vec<CountedResult>,
}

#[derive(Deserialize)]
struct CountedResult {
    error: Option<String>,
    #[serde(default)]
    series: Vec<CountedSeries>,
}

#[derive(Deserialize)]
struct CountedSeries {
    values: Vec<Vec<serde_json::Value>>,
}

impl Counted {
    fn rows(&self) -> Result<Vec<(i64, u64)>, String> {
        if let Some(error) = self.results.iter().find_map(|result| result.error.clone()) {
            return Err(error);
        }
        let series = self.results.iter().flat_map(|result| &result.series);
        let rows = series.flat_map(|series| &series.values).filter_map(|row| {
            let (time, counts) = row.split_first()?;
            Some((time.as_i64()?, counts.iter().filter_map(serde_json::Value::as_u64).sum()))
        });
        Ok(rows.collect())
    }
}

/// Sets up influxdb2's client.
pub(super) fn client(config: &Config) -> Result<influxdb2::Client, Error> {
    config.check()?;
    let no_flux = |reason: String| Error::NoFlux { reason };
    if config.dialect != Dialect::Influx2 {
        return Err(no_flux(format!("dialect {} has no Flux", config.dialect.word())));
    }
    let address = config.address()?;
    if address.path() != "/" {
        // influxdb2 drops the path of an address and would ask somebody else.
        return Err(no_flux(format!("influx.url has the path `{}`", address.path())));
    }
    let token = match config.credentials()? {
        Credentials::Token(token) => token.expose_secret().to_owned(),
        Credentials::None | Credentials::User { .. } => String::new(),
    };
    ClientBuilder::with_builder(config.client()?, address, config.org.clone(), token)
        .build()
        .map_err(|error| Error::Client { fault: causes(&error) })
}

/// Runs a question to influxdb2 where its panics end nothing but the question.
pub(super) async fn apart<T: Send + 'static>(
    config: &Config,
    what: &'static str,
    question: impl Future<Output = Result<T, RequestError>> + Send + 'static,
) -> Result<T, Error> {
    let answer = tokio::spawn(question).await.map_err(|_| Error::Broke { what })?;
    answer.map_err(|error| match error {
        RequestError::ReqwestProcessing { source } if source.is_decode() => {
            Error::Unreadable { what, fault: causes(&source.without_url()) }
        }
        RequestError::ReqwestProcessing { source } => away(config, source),
        RequestError::Http { status, text } => answered(config, what, status.as_u16(), &text),
        RequestError::Serializing { source } => {
            Error::Unreadable { what, fault: source.to_string() }
        }
        RequestError::Deserializing { text } => Error::Unreadable { what, fault: text },
    })
}

pub(super) fn away(config: &Config, error: reqwest::Error) -> Error {
    Error::Away { url: config.shown_url(), fault: causes(&error.without_url()) }
}

async fn health_of_influx2(config: &Config) -> Result<Health, Error> {
    let client = client(config)?;
    apart(config, "health", async move {
        let health = client.health().await?;
        let passes = health.status == Status::Pass;
        // The cloud has no such door; that it is healthy says enough there.
        let ready = match client.ready().await {
            Ok(ready) => ready,
            Err(RequestError::Http { status, .. }) => status.as_u16() == 404,
            Err(error) => return Err(error),
        };
        Ok(Health { version: health.version, ready: passes && ready })
    })
    .await
}

async fn health_by_status(config: &Config, path: &'static str) -> Result<Health, Error> {
    let client =
        config.client()?.build().map_err(|error| Error::Client { fault: causes(&error) })?;
    let request = client.get(config.door(path)?);
    let request = authorise(request, &config.credentials()?, config.dialect);
    let response = request.send().await.map_err(|error| away(config, error))?;
    let status = response.status();
    let version = version(&response);
    if status.is_success() {
        return Ok(Health { version, ready: true });
    }
    let words = read_words(response).await;
    Err(answered(config, path, status.as_u16(), &words))
}

/// Tells what was answered, without the credentials, which a proxy may quote.
pub(super) fn answered(config: &Config, what: &'static str, status: u16, words: &str) -> Error {
    let words = config.credentials().map_or_else(|_| String::new(), |own| own.hidden_in(words));
    Error::Answer { what, status, words }
}

fn version(response: &reqwest::Response) -> Option<String> {
    response.headers().get("X-Influxdb-Version")?.to_str().ok().map(str::to_owned)
}

/// Looks for the bucket and makes it; `None` if the organisation is not there.
async fn ensure(
    client: &influxdb2::Client,
    org: String,
    bucket: String,
) -> Result<Option<Ensured>, RequestError> {
    let request = ListBucketsRequest {
        name: Some(bucket.clone()),
        org: Some(org.clone()),
        ..ListBucketsRequest::default()
    };
    match client.list_buckets(Some(request)).await {
        Ok(found) if found.buckets.iter().any(|one| one.name == bucket) => {
            return Ok(Some(Ensured::Held));
        }
        Ok(_) => {}
        Err(RequestError::Http { status, .. }) if status.as_u16() == 404 => {}
        Err(error) => return Err(error),
    }
    let request =
        ListOrganizationRequest { org: Some(org.clone()), ..ListOrganizationRequest::default() };
    let found = client.list_organizations(request).await?;
    let Some(id) = found.orgs.into_iter().find(|one| one.name == org).and_then(|one| one.id) else {
        return Ok(None);
    };
    client.create_bucket(Some(PostBucketRequest::new(id, bucket))).await?;
    Ok(Some(Ensured::Made))
}

async fn ensure_database(config: &Config) -> Result<Ensured, Error> {
    config.check()?;
    let client =
        config.client()?.build().map_err(|error| Error::Client { fault: causes(&error) })?;
    // InfluxDB 1 does not say whether a database was there before.
    let statement = format!("CREATE DATABASE {}", quoted_identifier(&config.bucket));
    let request = client.post(config.door("query")?).query(&[("q", statement)]);
    let request = authorise(request, &config.credentials()?, config.dialect);
    let response = request.send().await.map_err(|error| away(config, error))?;
    let status = response.status();
    let words = read_words(response).await;
    if status.is_success() && !words.contains("\"error\"") {
        return Ok(Ensured::Held);
    }
    Err(answered(config, "CREATE DATABASE", status.as_u16(), &words))
}

/// Writes a Flux string literal. `${` would begin an expression.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '$' => out.push_str("\\x24"),
            letter if letter.is_ascii_control() => {
                out.push_str(&format!("\\x{:02x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Writes an InfluxQL identifier.
pub(super) fn quoted_identifier(name: &str) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_a_flux_string_or_begins_an_expression() {
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert_eq!(quoted("${x}\n"), "\"\\x24{x}\\x0a\"");
    }
}

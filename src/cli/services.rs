//! `quorate services`: prints the announced services.

use super::client::failover::{FailoverClient, Timeouts};
use super::client::output::{self, one_line, push_table};
use super::client::query::{Query, ServerList, name, time_limit};
use clap::Parser;
use quorate::config::exit_code;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Print the announced services: all, those of a type, or those of a pool of a type.
#[derive(Debug, Parser)]
#[command(name = "quorate services", bin_name = "quorate services", version)]
pub struct ServicesArguments {
    /// Type of the services, such as `trino`, `presto` or `trino-coordinator`.
    #[arg(value_name = "TYPE", value_parser = name)]
    of_type: Option<String>,
    /// Pool of the services, such as `general`.
    #[arg(value_parser = name)]
    pool: Option<String>,
    #[command(flatten)]
    servers: ServerList,
    /// Print the lookup as JSON, unchanged.
    #[arg(long)]
    json: bool,
    /// Maximum time to wait for an answer; exit with code 19 on a timeout.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = time_limit)]
    timeout: Duration,
}

/// The fields of a lookup's JSON that are shown.
#[derive(Deserialize)]
struct LookupBody {
    services: Vec<ServiceLine>,
}

/// The fields of a service's JSON that are shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceLine {
    #[serde(rename = "type")]
    of_type: String,
    pool: String,
    node_id: Option<String>,
    location: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
}

/// Runs the command and returns the exit code.
///
/// # Errors
/// Fails when no server answers, or the output cannot be written.
pub async fn run(arguments: &ServicesArguments) -> anyhow::Result<u8> {
    let mut failover = FailoverClient::new(
        &arguments.servers.server,
        arguments.servers.client_builder()?,
        Timeouts::default(),
    )?;
    let names = [&arguments.of_type, &arguments.pool];
    let segments = ["v1", "service"]
        .into_iter()
        .chain(names.into_iter().filter_map(Option::as_deref));
    let read = |text: &str| {
        let lookup: LookupBody = serde_json::from_str(text)
            .map_err(|error| format!("the response is not a lookup: {error}"))?;
        Ok(if arguments.json {
            text.to_owned()
        } else {
            table(&lookup)
        })
    };
    let query = Query::of(segments);
    let text = failover.ask(&query, arguments.timeout, read).await?;
    output::line(text.trim_end())?;
    Ok(exit_code::OK)
}

/// Formats the services as a table.
fn table(lookup: &LookupBody) -> String {
    const NOTHING: &str = "-";
    let cell =
        |text: Option<&String>| text.map_or_else(|| NOTHING.to_owned(), |text| one_line(text));
    let mut rows = vec![["TYPE", "POOL", "NODE", "ADDRESS", "LOCATION"].map(str::to_owned)];
    rows.extend(lookup.services.iter().map(|service| {
        let address = ["https", "http"]
            .iter()
            .find_map(|scheme| service.properties.get(*scheme));
        [
            Some(&service.of_type),
            Some(&service.pool),
            service.node_id.as_ref(),
            address,
            service.location.as_ref(),
        ]
        .map(cell)
    }));
    let mut text = String::new();
    push_table(&mut text, &rows);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every service has a row. A missing value is a dash, and an announced value cannot break the
    /// table.
    #[test]
    fn services_are_a_table() {
        let lookup = serde_json::from_str(
            r#"{"environment":"test","services":[
            {"id":"1","nodeId":"c1","type":"trino","pool":"general","location":"/rack/1",
             "properties":{"http":"http://10.0.0.9:8080","https":"https://c1:8443",
                "coordinator":"true"}},
            {"id":"2","type":"jdbc","pool":"a\nb","properties":{}}]}"#,
        )
        .expect("a lookup");
        let expected = "\
TYPE   POOL     NODE  ADDRESS          LOCATION
trino  general  c1    https://c1:8443  /rack/1
jdbc   a b      -     -                -
";
        assert_eq!(table(&lookup), expected);
    }
}

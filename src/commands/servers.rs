//! `--server`: which servers a command asks, and what it asks them.

use quorate::config;
use reqwest::Url;
use std::time::Duration;

/// The servers to ask, the same for every command.
#[derive(Debug, clap::Args)]
pub struct ServerList {
    /// The servers to ask, separated by commas.
    #[arg(
        long,
        env = "QUORATE_SERVERS",
        value_name = "URL,...",
        value_delimiter = ',',
        value_parser = server,
        default_value = "http://127.0.0.1:8411"
    )]
    pub server: Vec<String>,
}

fn server(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    // `host:port` is what people type.
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let parsed = Url::parse(&url).map_err(|error| error.to_string())?;
    match parsed.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("{other} is neither http nor https")),
    }
}

/// A duration as in the files of etc/.
pub fn duration(text: &str) -> Result<Duration, String> {
    config::duration_ms(text).map(Duration::from_millis)
}

/// How long a command may ask.
pub fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    if limit.is_zero() {
        return Err("nothing can be asked in no time".to_owned());
    }
    Ok(limit)
}

/// A type or a pool, which becomes one segment of a path.
pub fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".to_owned()),
        // URLs know them as steps through a tree, however they are written.
        "." | ".." => Err(format!("'{text}' cannot be asked for")),
        _ => Ok(text.to_owned()),
    }
}

/// What is asked of whichever server answers.
#[derive(Debug, Clone, Default)]
pub struct Question {
    segments: Vec<String>,
    parameters: Vec<(&'static str, Option<String>)>,
}

impl Question {
    /// A path, each segment as it is before it is encoded.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Question {
        Question {
            segments: segments.into_iter().map(str::to_owned).collect(),
            parameters: Vec::new(),
        }
    }

    /// With `name=value`, when there is a value.
    pub fn with(mut self, name: &'static str, value: Option<&str>) -> Question {
        let parameter = value.map(|value| (name, Some(value.to_owned())));
        self.parameters.extend(parameter);
        self
    }

    /// With `name` alone, when it is wanted.
    pub fn flag(mut self, name: &'static str, wanted: bool) -> Question {
        self.parameters.extend(wanted.then_some((name, None)));
        self
    }

    /// The question put to one server.
    ///
    /// # Errors
    /// When the server's address takes no path.
    pub fn url(&self, server: &str) -> Result<Url, String> {
        let mut url = Url::parse(server).map_err(|error| error.to_string())?;
        url.path_segments_mut()
            .map_err(|()| "takes no path".to_owned())?
            .pop_if_empty()
            .extend(&self.segments);
        if !self.parameters.is_empty() {
            let mut query = url.query_pairs_mut();
            for (name, value) in &self.parameters {
                match value {
                    Some(value) => query.append_pair(name, value),
                    None => query.append_key_only(name),
                };
            }
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers are given as people type them.
    #[test]
    fn servers_are_read() {
        assert_eq!(server(" node1:8411/ "), Ok("http://node1:8411".into()));
        assert_eq!(server("https://node1"), Ok("https://node1".into()));
        assert!(server("ftp://node1").is_err());
        assert!(server("").is_err());
    }

    /// Whatever a type or a pool holds, it stays one segment or one value.
    #[test]
    fn questions_are_encoded() {
        let url = |question: Question, server: &str| question.url(server).map(String::from);
        let lookup = Question::of(["v1", "service", "a b/c?d", "p#%"]);
        assert_eq!(
            url(lookup, "http://node1:8411"),
            Ok("http://node1:8411/v1/service/a%20b%2Fc%3Fd/p%23%25".into())
        );
        let coordinator = Question::of(["v1", "coordinator"])
            .with("engine", None)
            .with("pool", Some("a&b=c d"))
            .flag("all", true)
            .flag("watch", false);
        assert_eq!(
            url(coordinator, "https://lb/quorate"),
            Ok("https://lb/quorate/v1/coordinator?pool=a%26b%3Dc+d&all".into())
        );
        assert!(name("").is_err() && name("..").is_err() && name(".x").is_ok());
    }

    /// A limit of nothing is refused, since it would be over before the first question.
    #[test]
    fn time_limits_are_read() {
        assert_eq!(time_limit("500ms"), Ok(Duration::from_millis(500)));
        assert!(time_limit("0s").is_err());
        assert!(time_limit("10").is_err());
    }
}

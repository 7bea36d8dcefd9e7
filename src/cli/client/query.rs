//! `--server` and `--token-file`: the servers that a command asks, the token for them, and its
//! requests.

use anyhow::{Context, bail};
use quorate::config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Url};
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::fs::File;
use std::io::Read;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Maximum size of a file with a token in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4_096;

/// Maximum size of a file with certificate authorities in bytes.
const CA_FILE_BYTES_MAX: u64 = 1 << 20;

/// The servers to ask, the same for every command.
#[derive(Debug, clap::Args)]
pub struct ServerList {
    /// Servers to query, separated by commas.
    #[arg(
        long,
        env = "QUORATE_SERVERS",
        value_name = "URL,...",
        value_delimiter = ',',
        value_parser = server,
        default_value = "http://127.0.0.1:8411"
    )]
    pub server: Vec<String>,
    /// File with a token for the servers, made by `quorate token`.
    #[arg(long, env = "QUORATE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file with certificate authorities to trust, besides those of the system.
    #[arg(long, env = "QUORATE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl ServerList {
    /// Returns the builder of the HTTP client, which sends the token with each request and trusts
    /// the given authorities.
    ///
    /// # Errors
    /// Fails when the file with the token or the file with the authorities cannot be used.
    pub fn client_builder(&self) -> anyhow::Result<ClientBuilder> {
        let headers = self.authorization()?.map(|value| (AUTHORIZATION, value));
        let builder = config::http_client_builder().default_headers(HeaderMap::from_iter(headers));
        let Some(path) = &self.ca_file else {
            return Ok(builder);
        };
        let authorities = authorities(path)?;
        let authorities = authorities.iter().map(|der| Certificate::from_der(der));
        let authorities: reqwest::Result<Vec<_>> = authorities.collect();
        Ok(builder.tls_certs_merge(authorities.with_context(|| ca_file(path))?))
    }

    /// Returns the TLS settings of a client that trusts the given authorities besides those of the
    /// system, like the HTTP client, but that opens its connections itself.
    ///
    /// # Errors
    /// Fails when the file with the authorities cannot be used, or when no authority is trusted.
    pub fn tls_config(&self) -> anyhow::Result<ClientConfig> {
        let path = self.ca_file.as_deref();
        let authorities = path.map_or_else(|| Ok(Vec::new()), authorities)?;
        let provider = Arc::new(default_provider());
        let verifier = Verifier::new_with_extra_roots(authorities, provider.clone());
        let verifier = verifier.with_context(|| {
            path.map_or_else(|| "the authorities of the system".to_owned(), ca_file)
        })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            // The verifier is that of the HTTP client, so nothing is less safe than there.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        Ok(builder.with_no_client_auth())
    }

    /// Returns the `Authorization` header with the token, if there is one.
    ///
    /// # Errors
    /// Fails when the file cannot be read, or does not have one word.
    pub fn authorization(&self) -> anyhow::Result<Option<HeaderValue>> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let named = || format!("--token-file={}", path.display());
        let mut text = String::new();
        let file = File::open(path).with_context(named)?;
        let read = file
            .take(TOKEN_FILE_BYTES_MAX + 1)
            .read_to_string(&mut text);
        read.with_context(named)?;
        if text.len() as u64 > TOKEN_FILE_BYTES_MAX {
            bail!(
                "{}: it is larger than {TOKEN_FILE_BYTES_MAX} bytes",
                named()
            );
        }
        let mut words = text.split_ascii_whitespace();
        let (Some(token), None) = (words.next(), words.next()) else {
            bail!("{}: expected one token and nothing else", named());
        };
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let Ok(mut value) = value else {
            bail!("{}: a token has only visible ASCII characters", named());
        };
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Reads the certificates of a PEM file.
fn authorities(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let named = || ca_file(path);
    let mut pem = Vec::new();
    let file = File::open(path).with_context(named)?;
    let read = file.take(CA_FILE_BYTES_MAX + 1).read_to_end(&mut pem);
    read.with_context(named)?;
    if pem.len() as u64 > CA_FILE_BYTES_MAX {
        bail!("{}: it is larger than {CA_FILE_BYTES_MAX} bytes", named());
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.with_context(named)?;
    if certificates.is_empty() {
        bail!("{}: it contains no certificate in PEM", named());
    }
    Ok(certificates)
}

/// Returns the option that names a file with authorities, for errors.
fn ca_file(path: &Path) -> String {
    format!("--ca-file={}", path.display())
}

/// Parses a server, given as `host:port` or as a URL. A URL consists of `http` or `https`, a host
/// and a port. A URL with any other part, such as a path, does not belong to a quorate server, and
/// is refused.
fn server(text: &str) -> Result<String, String> {
    const EXAMPLE: &str = "expected http://host:port or https://host:port";
    let wrong = |what: &str| Err(format!("{what}; {EXAMPLE}"));
    let text = text.trim();
    if text.is_empty() {
        return wrong("it is empty");
    }
    // The URL parser would skip some of these characters, and would read `\` as a slash.
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return wrong("it contains a character that is not allowed in an address");
    }
    let url = match text.parse::<Ipv6Addr>() {
        Ok(ip) => format!("http://[{ip}]"),
        Err(_) if text.contains("://") => text.to_owned(),
        Err(_) => format!("http://{text}"),
    };
    if url.contains('@') {
        return wrong("it contains a user name; servers take a token (--token-file)");
    }
    if url.contains('?') {
        return wrong("it contains a query");
    }
    if url.contains('#') {
        return wrong("it contains a fragment");
    }
    let parsed = match Url::parse(&url) {
        Ok(parsed) => parsed,
        Err(error) => return wrong(&error.to_string()),
    };
    let scheme = parsed.scheme();
    if !matches!(scheme, "http" | "https") {
        return wrong(&format!("{scheme} is neither http nor https"));
    }
    // The path is checked in the URL as given and not in `parsed`, because the parser drops
    // segments such as `%2e` (a dot).
    let (_, rest) = url.split_once("://").unwrap_or(("", &url));
    if rest
        .split_once('/')
        .is_some_and(|(_, path)| !path.is_empty())
    {
        return wrong("it has a path, but servers answer only at the root");
    }
    let Some(host) = parsed.host_str() else {
        return wrong("it has no host");
    };
    match parsed.port() {
        Some(0) => wrong("it has port 0"),
        Some(port) => Ok(format!("{scheme}://{host}:{port}")),
        None => Ok(format!("{scheme}://{host}")),
    }
}

/// Parses a duration in the format of the files in `etc/`.
pub fn duration(text: &str) -> Result<Duration, String> {
    config::duration_ms(text).map(Duration::from_millis)
}

/// Parses a time limit, which is a duration other than zero.
pub fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    if limit.is_zero() {
        return Err("it must be longer than zero".to_owned());
    }
    Ok(limit)
}

/// Parses a type or a pool, which becomes one segment of a path.
pub fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".to_owned()),
        // URLs treat `.` and `..` as relative path segments, even if the dots are percent-encoded.
        "." | ".." => Err(format!("'{text}' is not allowed in a path")),
        _ => Ok(text.to_owned()),
    }
}

/// A request that any server can answer.
#[derive(Debug, Clone, Default)]
pub struct Query {
    segments: Vec<String>,
    parameters: Vec<(&'static str, Option<String>)>,
}

impl Query {
    /// Creates a request for a path, given as segments that are not yet encoded.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Query {
        Query {
            segments: segments.into_iter().map(str::to_owned).collect(),
            parameters: Vec::new(),
        }
    }

    /// Adds the parameter `name=value` if there is a value.
    pub fn with(mut self, name: &'static str, value: Option<&str>) -> Query {
        let parameter = value.map(|value| (name, Some(value.to_owned())));
        self.parameters.extend(parameter);
        self
    }

    /// Adds the parameter `name`, without a value, if `wanted` is set.
    pub fn flag(mut self, name: &'static str, wanted: bool) -> Query {
        self.parameters.extend(wanted.then_some((name, None)));
        self
    }

    /// Returns the URL of the request at one server.
    ///
    /// # Errors
    /// Fails when the server's address cannot have a path.
    pub fn url(&self, server: &str) -> Result<Url, String> {
        let mut url = Url::parse(server).map_err(|error| error.to_string())?;
        url.path_segments_mut()
            .map_err(|()| "cannot have a path".to_owned())?
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

    /// Servers are accepted as people type them. A trailing slash changes nothing.
    #[test]
    fn servers_are_read() {
        for (typed, read) in [
            (" node1:8411/ ", "http://node1:8411"),
            ("http://node1:8411", "http://node1:8411"),
            ("http://node1:8411/", "http://node1:8411"),
            ("https://node1", "https://node1"),
            ("HTTP://Node1:8411", "http://node1:8411"),
            ("node_1:8411", "http://node_1:8411"),
            ("10.0.0.1:8411", "http://10.0.0.1:8411"),
            ("[::1]:8411", "http://[::1]:8411"),
            ("http://[2001:DB8::1]:8411/", "http://[2001:db8::1]:8411"),
            ("::1", "http://[::1]"),
        ] {
            assert_eq!(server(typed).as_deref(), Ok(read), "{typed}");
        }
    }

    /// A URL with more than a scheme, a host and a port is refused, with an error that names the
    /// part.
    #[test]
    fn more_than_a_server_is_refused() {
        for (typed, why) in [
            ("http://h:8411/foo", "has a path"),
            ("h:8411/foo/", "has a path"),
            ("http://h:8411//", "has a path"),
            ("http://h:8411/%2e", "has a path"),
            ("http://h:8411?x", "a query"),
            ("http://h:8411/?", "a query"),
            ("http://h:8411#x", "a fragment"),
            ("http://h:8411/#", "a fragment"),
            ("http://user@h:8411", "a user name"),
            ("http://user:word@h", "a user name"),
            ("http://@h", "a user name"),
            ("ftp://node1", "neither http nor https"),
            ("http:/h:8411", "port"),
            ("http://h:0", "port 0"),
            ("http://h:99999", "port"),
            ("http://h:8411\\foo", "is not allowed"),
            ("http://h\t:8411", "is not allowed"),
            ("http://h :8411", "is not allowed"),
            ("", "is empty"),
            ("http://", "host"),
            ("http://:8411", "host"),
        ] {
            let refused = server(typed).expect_err(typed);
            assert!(refused.contains(why), "{typed}: {refused}");
            assert!(refused.ends_with("https://host:port"), "{typed}: {refused}");
        }
    }

    /// A type or a pool is always encoded as one path segment or one query value.
    #[test]
    fn questions_are_encoded() {
        let url = |query: Query, server: &str| query.url(server).map(String::from);
        let lookup = Query::of(["v1", "service", "a b/c?d", "p#%"]);
        assert_eq!(
            url(lookup, "http://node1:8411"),
            Ok("http://node1:8411/v1/service/a%20b%2Fc%3Fd/p%23%25".into())
        );
        let coordinator = Query::of(["v1", "coordinator"])
            .with("engine", None)
            .with("pool", Some("a&b=c d"))
            .flag("all", true)
            .flag("watch", false);
        assert_eq!(
            url(coordinator, "https://lb"),
            Ok("https://lb/v1/coordinator?pool=a%26b%3Dc+d&all".into())
        );
        assert!(name("").is_err() && name("..").is_err() && name(".x").is_ok());
    }

    /// A time limit of zero is refused, because it would expire before the first request.
    #[test]
    fn time_limits_are_read() {
        assert_eq!(time_limit("500ms"), Ok(Duration::from_millis(500)));
        assert!(time_limit("0s").is_err());
        assert!(time_limit("10").is_err());
    }
}

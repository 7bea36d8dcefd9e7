//! Parsing of request queries.

use crate::http::error::ApiError;
use crate::model::{decimal, duration_ms};
use axum::extract::{FromRequestParts, Query};
use http::Uri;
use http::request::Parts;
use std::time::Duration;

/// Default of `wait`, which is the maximum time that a lookup with `?index=` waits.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);
/// Maximum `wait`, which is less than the time after which proxies consider a connection dead. To
/// wait for an hour, a client repeats the request sixty times.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Minimum `wait`. A shorter wait gains nothing, and a client that sends 0 may mean "forever".
const WAIT_MIN: Duration = Duration::from_millis(1);

/// The options of a lookup besides its type and pool. Other parameters are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Asked {
    /// No option, or `consistency=linearizable`.
    Now,
    /// `consistency=stale`: responds immediately from this node's local state.
    Stale,
    /// `index=N&wait=30s`: responds once the lookup has changed after `index`, or `wait` has
    /// passed.
    After {
        /// The log index that the client has seen.
        index: u64,
        /// Maximum time to wait.
        wait: Duration,
    },
}

impl Asked {
    /// Parses the options of a lookup.
    ///
    /// # Errors
    /// Fails if the query is malformed, or an option is invalid or contradicts another.
    pub(in crate::http) fn of(uri: &Uri) -> Result<Asked, ApiError> {
        match uri.query() {
            None => Ok(Asked::Now),
            Some(_) => asked(&Parameters::of(uri)?),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Asked::of(&parts.uri)
    }
}

/// A decoded query. When a parameter is repeated, the first value counts.
pub(in crate::http) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query.
    ///
    /// # Errors
    /// Fails if the query is malformed.
    pub(in crate::http) fn of(uri: &Uri) -> Result<Parameters, ApiError> {
        Query::try_from_uri(uri)
            .map(|Query(pairs)| Parameters(pairs))
            .map_err(|_| ApiError::BadRequest("The query string is malformed".to_owned()))
    }

    pub(in crate::http) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// Whether a boolean parameter is set: `?watch` or `?watch=true`.
    ///
    /// # Errors
    /// Fails if the parameter has a value other than `true` or `false`.
    pub(in crate::http) fn switch(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(_) => Err(ApiError::BadRequest(format!(
                "The parameter {name} must be true or false"
            ))),
        }
    }
}

/// Parses the options of a lookup from its parameters.
fn asked(parameters: &Parameters) -> Result<Asked, ApiError> {
    let bad = |text: &str| Err(ApiError::BadRequest(text.to_owned()));
    let stale = match parameters.get("consistency") {
        None | Some("linearizable") => false,
        Some("stale") => true,
        Some(_) => return bad("The parameter consistency must be linearizable or stale"),
    };
    match (parameters.get("index"), parameters.get("wait")) {
        (None, None) if stale => Ok(Asked::Stale),
        (None, None) => Ok(Asked::Now),
        (None, Some(_)) => bad("The parameter wait requires the parameter index"),
        (Some(_), _) if stale => bad(
            "The parameter index waits for a change and cannot be combined with consistency=stale",
        ),
        (Some(index), wait) => {
            let Some(index) = decimal(index) else {
                return bad("The parameter index is not a log index");
            };
            let wait = wait.map_or(Ok(WAIT_DEFAULT), wait_of)?;
            Ok(Asked::After { index, wait })
        }
    }
}

/// Parses `wait`.
fn wait_of(text: &str) -> Result<Duration, ApiError> {
    let wait = duration_ms(text)
        .map(Duration::from_millis)
        .map_err(|why| ApiError::BadRequest(format!("The parameter wait: {why}")))?;
    if (WAIT_MIN..=WAIT_MAX).contains(&wait) {
        Ok(wait)
    } else {
        Err(ApiError::BadRequest(
            "The parameter wait must be from 1ms to 1m".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Asked, ApiError> {
        let uri = format!("/v1/service?{query}").parse().expect("a target");
        asked(&Parameters::of(&uri).expect("readable"))
    }

    /// Only `consistency=stale` makes a lookup stale. An unknown value is rejected, and is taken
    /// neither for stale nor for linearizable.
    #[test]
    fn consistency_is_said_in_full() {
        assert_eq!(of(""), Ok(Asked::Now));
        assert_eq!(of("pretty&x=consistency=stale"), Ok(Asked::Now));
        assert_eq!(of("consistency=linearizable"), Ok(Asked::Now));
        assert_eq!(of("a=b&consistency=stale"), Ok(Asked::Stale));
        for bad in ["consistency=", "consistency=Stale", "consistency=eventual"] {
            assert!(matches!(of(bad), Err(ApiError::BadRequest(_))), "{bad}");
        }
    }

    /// A lookup with `index` waits for the time in `wait`, which has a minimum and a maximum, or
    /// for 30 s by default. An invalid combination is rejected with the name of the parameter.
    #[test]
    fn an_index_waits() {
        let after = |index, wait| Ok(Asked::After { index, wait });
        assert_eq!(of("index=7"), after(7, WAIT_DEFAULT));
        assert_eq!(of("index=0&wait=1ms"), after(0, Duration::from_millis(1)));
        assert_eq!(of("wait=1m&index=9"), after(9, Duration::from_secs(60)));
        for (bad, named) in [
            ("wait=1s", "wait"),
            ("index=", "index"),
            ("index=-1", "index"),
            ("index=%2B1", "index"),
            ("index=99999999999999999999", "index"),
            ("index=5f0c:7", "index"),
            ("index=7&wait=7d", "wait"),
            ("index=7&wait=61s", "wait"),
            ("index=7&wait=0s", "wait"),
            ("index=7&wait=30", "wait"),
            ("index=7&consistency=stale", "index"),
        ] {
            match of(bad) {
                Err(ApiError::BadRequest(line)) => {
                    assert!(
                        line.contains(&format!("parameter {named}")),
                        "{bad}: {line}"
                    );
                }
                other => panic!("{bad}: {other:?}"),
            }
        }
    }
}

//! The loads, the sides on which each is measured, and the goals of their figures.

use crate::measure::tasks::{self, Task};
use anyhow::{Context, bail};
use serde::Serialize;

/// The name that stands for the kills of leaders among the names of loads.
pub const GAPS: &str = "gaps";

/// The servers and the way to them on which a load is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecuredSide {
    /// quorate over HTTP. The same nodes serve HTTPS.
    Http,
    /// quorate over HTTPS.
    Https,
    /// The baseline over HTTP. The same servers serve HTTPS.
    BaselineHttp,
    /// The baseline over HTTPS.
    BaselineHttps,
    /// quorate with TLS between nodes, whose engines send no tokens.
    TokensOff,
    /// quorate with TLS between nodes, whose engines must send tokens.
    TokensRequired,
    /// quorate without TLS between nodes.
    PeersPlain,
    /// quorate with TLS between nodes.
    PeersTls,
}

/// One load, with the sides that are compared.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SecuredLoad {
    /// The name of the load in `--loads` and in the results.
    pub name: &'static str,
    /// The load on each side.
    pub task: Task,
    /// The comparison, as the table names it.
    pub compared: &'static str,
    /// The side with security.
    pub secured: SecuredSide,
    /// The side without it.
    pub plain: SecuredSide,
    /// The same two sides of the baseline. If they are given, the ratio is divided by theirs.
    pub baseline: Option<(SecuredSide, SecuredSide)>,
    /// Minimum of the ratio of the speeds with and without security.
    pub ratio_min: f64,
    /// Maximum growth of the nodes' processor time for each request by security, in microseconds.
    pub growth_max_us: Option<f64>,
}

impl SecuredLoad {
    /// Returns all sides on which the load is measured.
    pub fn sides(&self) -> Vec<SecuredSide> {
        let mut sides = vec![self.plain, self.secured];
        if let Some((secured, plain)) = self.baseline {
            sides.extend([plain, secured]);
        }
        sides
    }
}

/// Returns the loads with these names, or all loads if `names` is empty.
///
/// # Errors
/// Fails if a name is neither the name of a load nor [`GAPS`].
pub fn selected(names: &[String]) -> anyhow::Result<Vec<SecuredLoad>> {
    let mut loads = all()?;
    for name in names {
        if name != GAPS && !loads.iter().any(|load| load.name == name) {
            let known: Vec<&str> = loads.iter().map(|load| load.name).collect();
            bail!(
                "unknown load '{name}', expected one of: {}, {GAPS}",
                known.join(", ")
            );
        }
    }
    loads.retain(|load| names.is_empty() || names.iter().any(|name| name == load.name));
    Ok(loads)
}

/// Returns all loads, in the order in which they are measured.
fn all() -> anyhow::Result<Vec<SecuredLoad>> {
    let lookups = |name, compared, growth_max_us| {
        anyhow::Ok(SecuredLoad {
            name,
            task: task(name)?,
            compared,
            secured: SecuredSide::Https,
            plain: SecuredSide::Http,
            baseline: Some((SecuredSide::BaselineHttps, SecuredSide::BaselineHttp)),
            ratio_min: 0.95,
            growth_max_us: Some(growth_max_us),
        })
    };
    let changes = |name, compared| {
        anyhow::Ok(SecuredLoad {
            name,
            task: task(name)?,
            compared,
            secured: SecuredSide::PeersTls,
            plain: SecuredSide::PeersPlain,
            baseline: None,
            ratio_min: 0.95,
            growth_max_us: None,
        })
    };
    Ok(vec![
        lookups("lookup-100", "lookups of 100 services, HTTPS / HTTP", 25.0)?,
        lookups(
            "lookup-1000",
            "lookups of 1,000 services, HTTPS / HTTP",
            150.0,
        )?,
        SecuredLoad {
            name: "renew-256",
            task: task("renew-256")?,
            compared: "renewals, HTTPS / HTTP",
            secured: SecuredSide::Https,
            plain: SecuredSide::Http,
            baseline: None,
            ratio_min: 0.85,
            growth_max_us: None,
        },
        SecuredLoad {
            name: "renew-256-tokens",
            task: task("renew-256")?,
            compared: "renewals, engines' tokens required / off",
            secured: SecuredSide::TokensRequired,
            plain: SecuredSide::TokensOff,
            baseline: None,
            ratio_min: 0.97,
            growth_max_us: None,
        },
        changes(
            "change-64",
            "changes of 64 clients, nodes with TLS / without",
        )?,
        changes(
            "change-256",
            "changes of 256 clients, nodes with TLS / without",
        )?,
    ])
}

/// Returns the load of a run with this name.
fn task(name: &str) -> anyhow::Result<Task> {
    let found = tasks::selected(&[name.to_owned()])?;
    found.first().copied().context("a load has a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads are selected by their names, and `gaps` selects none of them. An unknown name is
    /// refused, with the names that are known.
    #[test]
    fn loads_are_selected_by_name() {
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let loads = selected(&names).map_err(|error| error.to_string())?;
            Ok::<_, String>(loads.iter().map(|load| load.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).map(|names| names.len()), Ok(6));
        assert_eq!(names(&[GAPS]), Ok(vec![]));
        let two = ["lookup-100", "renew-256-tokens"];
        assert_eq!(names(&two), Ok(two.to_vec()));
        let refused = names(&["lookup-10"]).expect_err("it is unknown");
        assert!(refused.contains("change-256, gaps"), "{refused}");
    }
}

//! The policy: what the client of each route and method must prove.

use http::Method;

/// The proof that a route demands of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Rule {
    /// No proof is required.
    Open,
    /// A proof that the client may read the registry. Every client may, unless
    /// `discovery.read-authentication` is `require`.
    Read,
    /// A proof that the client may change the registry.
    Write,
    /// A proof that the client is the engine that the path names.
    OwnNode,
    /// A proof that the client is a node of the group.
    Peer,
}

/// The rules of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Rules {
    /// The rule for GET and HEAD.
    pub(in crate::http) reading: Rule,
    /// The rule for all other methods except OPTIONS, which is always open because it changes
    /// nothing.
    pub(in crate::http) writing: Rule,
}

impl Rules {
    /// Returns the rules of a route with the same rule for all methods.
    pub(in crate::http) const fn only(rule: Rule) -> Rules {
        Rules {
            reading: rule,
            writing: rule,
        }
    }
}

/// The rules of all routes. The table matches paths exactly as the router does, because both use
/// the same crate with the same patterns.
#[derive(Debug, Default)]
pub(in crate::http) struct PolicyTable(matchit::Router<Rules>);

impl PolicyTable {
    /// Adds a route.
    ///
    /// # Panics
    /// If the pattern is invalid or conflicts with another one. The router panics in the same
    /// cases.
    pub(in crate::http) fn insert(&mut self, pattern: &str, rules: Rules) {
        let inserted = self.0.insert(pattern, rules);
        inserted.expect("a pattern that the router takes too");
    }

    /// Returns the rule for a method and a canonical path. A path without a route is open, since
    /// nothing is served there.
    pub(in crate::http) fn rule(&self, method: &Method, path: &str) -> Rule {
        match (self.0.at(path), method) {
            (Err(_), _) | (_, &Method::OPTIONS) => Rule::Open,
            (Ok(route), &Method::GET | &Method::HEAD) => route.value.reading,
            (Ok(route), _) => route.value.writing,
        }
    }
}

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
pub(in crate::http) struct PolicyTable {
    routes: matchit::Router<Route>,
    patterns: Vec<String>,
}

/// A route of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    /// The position of its pattern in [`PolicyTable::patterns`].
    index: usize,
    rules: Rules,
}

impl PolicyTable {
    /// Adds a route.
    ///
    /// # Panics
    /// If the pattern is invalid or conflicts with another one. The router panics in the same
    /// cases.
    pub(in crate::http) fn insert(&mut self, pattern: &str, rules: Rules) {
        let index = self.patterns.len();
        let inserted = self.routes.insert(pattern, Route { index, rules });
        inserted.expect("a pattern that the router takes too");
        self.patterns.push(pattern.to_owned());
    }

    /// Returns the patterns of all routes.
    pub(in crate::http) fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Returns the rule for a method and a canonical path, and the position of the route in
    /// [`PolicyTable::patterns`]. A path without a route is open, since nothing is served there.
    pub(in crate::http) fn rule(&self, method: &Method, path: &str) -> (Rule, Option<usize>) {
        let Ok(route) = self.routes.at(path) else {
            return (Rule::Open, None);
        };
        let rules = route.value.rules;
        let rule = match *method {
            Method::OPTIONS => Rule::Open,
            Method::GET | Method::HEAD => rules.reading,
            _ => rules.writing,
        };
        (rule, Some(route.value.index))
    }
}

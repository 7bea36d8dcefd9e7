//! Checks that every configuration key and every route is documented, and that every test that a
//! document names exists.

use crate::source::{product_lines, strings_of};
use crate::tree::{all_files, assert_none, is_test_file, read, rust_files};
use std::collections::BTreeSet;
use std::path::Path;

/// Keys of airlift that begin with one of quorate's prefixes, but have no effect in quorate.
const AIRLIFTS: &[&str] = &[
    "discovery.uri",
    "discovery.collector.pool",
    "discovery.store-cache-ttl",
];

/// Returns quorate's own keys in the sources of src/config. Keys of airlift are left out even if
/// they have the same prefixes, because airlift documents them.
fn our_keys(source: &str) -> BTreeSet<String> {
    strings_of(source)
        .into_iter()
        .filter(|text| text.starts_with("cluster.") || text.starts_with("discovery."))
        .filter(|text| {
            text.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
        })
        .filter(|text| !text.ends_with('.') && !text.starts_with("discovery.http-client."))
        .filter(|text| !AIRLIFTS.contains(&text.as_str()))
        .collect()
}

#[test]
fn every_key_of_ours_is_explained_in_the_example_configuration() {
    let example = read(Path::new("etc/config.properties"));
    let mut keys = BTreeSet::new();
    for path in rust_files("src/config")
        .into_iter()
        .filter(|path| !is_test_file(path))
    {
        let source = read(&path);
        let product: Vec<&str> = source.lines().take(product_lines(&source)).collect();
        keys.extend(our_keys(&product.join("\n")));
    }
    assert!(
        keys.contains("discovery.max-age"),
        "keys are found at all: {keys:?}"
    );
    assert_none(
        &keys
            .into_iter()
            .filter(|key| !has_key(&example, key))
            .collect::<Vec<_>>(),
    );
}

/// Returns whether a properties file has the key, either set or commented out.
fn has_key(properties: &str, key: &str) -> bool {
    properties.lines().any(|line| {
        line.trim_start_matches(['#', ' '])
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

#[test]
fn an_undocumented_key_is_found() {
    let keys = our_keys(concat!(
        r#"let a = "cluster.auto-rejoin"; let b = "discovery.max-age"; "#,
        r#"let c = "discovery."; // "cluster.not""#
    ));
    assert_eq!(
        keys,
        ["cluster.auto-rejoin", "discovery.max-age"]
            .map(String::from)
            .into()
    );
    assert!(has_key(
        "# why\n#cluster.auto-rejoin=true",
        "cluster.auto-rejoin"
    ));
    assert!(!has_key(
        "# cluster.auto-rejoin is a key",
        "cluster.auto-rejoin"
    ));
    assert!(!has_key(
        "cluster.auto-rejoin-more=1",
        "cluster.auto-rejoin"
    ));
}

/// Returns the paths of the route table.
fn routes(source: &str) -> BTreeSet<String> {
    strings_of(source)
        .into_iter()
        .filter(|text| text.starts_with("/v1"))
        .collect()
}

#[test]
fn every_route_is_documented() {
    let documented = read(Path::new("docs/COMPAT.md"));
    let source = read(Path::new("src/http/router.rs"));
    let product: Vec<&str> = source.lines().take(product_lines(&source)).collect();
    let routes = routes(&product.join("\n"));
    assert!(
        routes.iter().any(|route| route.starts_with("/v1/service")),
        "routes are found at all: {routes:?}"
    );
    assert_none(
        &routes
            .into_iter()
            .filter(|route| !documents(&documented, route))
            .collect::<Vec<_>>(),
    );
}

/// Returns whether a text names the route. A longer route that begins with this route does not
/// count.
fn documents(text: &str, route: &str) -> bool {
    text.match_indices(route).any(|(at, _)| {
        let next = text[at + route.len()..].chars().next();
        next.is_none_or(|next| !(next.is_alphanumeric() || "/-_{".contains(next)))
    })
}

#[test]
fn an_undocumented_route_is_found() {
    let found = routes(r#".route("/v1/service", get(all)) // "/v1/not""#);
    assert_eq!(found, ["/v1/service".to_owned()].into());
    assert!(documents("| `GET /v1/service` |", "/v1/service"));
    assert!(!documents("| `GET /v1/service/{type}` |", "/v1/service"));
}

/// Returns the tests that a text names: words in backticks that look like a test's name.
fn named_tests(text: &str) -> BTreeSet<&str> {
    let is_test = |name: &&str| {
        name.matches('_').count() >= 2
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.split('`').skip(1).step_by(2).filter(is_test).collect()
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let promises = read(Path::new("docs/PROMISES.md"));
    let sources: Vec<String> = all_files().into_iter().map(|path| read(&path)).collect();
    let named = named_tests(&promises);
    assert!(!named.is_empty(), "promises name tests");
    let missing = named.into_iter().filter(|name| {
        let declared = format!("fn {name}(");
        !sources.iter().any(|source| source.contains(&declared))
    });
    assert_none(&missing.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn a_named_test_is_found() {
    let text =
        "`a_test_of_it`, `discovery.max-age`, `src/http/tests/server.rs`, `node_id` and a_b_c";
    assert_eq!(named_tests(text), ["a_test_of_it"].into());
}

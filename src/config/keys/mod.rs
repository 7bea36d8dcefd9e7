//! The configuration keys and their effects.
//!
//! The keys are quorate's own, those of airlift's discovery server 1.34 (airlift 233), and the keys
//! that newer airlift added to the same families. The value of a key is checked even if the key has
//! no effect.

mod tables;

pub use tables::ValueKind;
use tables::{ACTING, CLIENTS, DEFUNCT, HTTP_CLIENT, IGNORED, REFUSED, RENAMED, STORE, STORES};

/// The effect of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEffect {
    /// The key is read by [`crate::config::load`].
    Acts,
    /// The key has no effect, which is logged once at start. The value is still checked.
    None(ValueKind),
    /// The key is an old name of the given key.
    Renamed(&'static str),
    /// The key is refused, because airlift refuses it as defunct.
    Defunct,
    /// The key promises a feature that is not implemented. The server refuses to start rather than
    /// run without it.
    Refused(ValueKind, &'static str),
}

/// Returns the effect of `key`, or `None` if it is unknown.
pub fn effect(key: &str) -> Option<KeyEffect> {
    if ACTING.contains(&key) {
        return Some(KeyEffect::Acts);
    }
    if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == key) {
        return Some(KeyEffect::Renamed(new));
    }
    if let Some((_, kind, why)) = REFUSED.iter().find(|(name, ..)| *name == key) {
        return Some(KeyEffect::Refused(*kind, why));
    }
    if DEFUNCT.contains(&key) {
        return Some(KeyEffect::Defunct);
    }
    let idle = find(IGNORED, key).or_else(|| {
        STORES
            .iter()
            .find_map(|store| find(STORE, key.strip_prefix(store)?.strip_prefix(".store.")?))
    });
    idle.map(KeyEffect::None).or_else(|| http_client(key))
}

/// Returns every known name, for suggestions.
pub fn all() -> Vec<String> {
    let plain = ACTING
        .iter()
        .copied()
        .chain(REFUSED.iter().map(|(name, ..)| *name))
        .chain(IGNORED.iter().map(|(name, _)| *name));
    let stores = STORES.iter().flat_map(|store| {
        STORE
            .iter()
            .map(move |(name, _)| format!("{store}.store.{name}"))
    });
    let clients = CLIENTS.iter().flat_map(|client| {
        HTTP_CLIENT
            .iter()
            .map(move |(name, _)| format!("{client}.http-client.{name}"))
    });
    plain
        .map(str::to_owned)
        .chain(stores)
        .chain(clients)
        .collect()
}

/// Returns the keys most similar to an unknown key, the most similar first. The measure of
/// similarity and its threshold are airlift's.
pub fn similar(key: &str) -> Vec<String> {
    const RATIO_MIN: f64 = 0.85;
    const SUGGESTIONS_MAX: usize = 3;
    let mut scored: Vec<(f64, String)> = all()
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&known, key), known))
        .filter(|(ratio, _)| *ratio > RATIO_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, known)| known)
        .collect()
}

/// Returns whether a message must not repeat the key's value.
pub fn is_secret(key: &str) -> bool {
    ["password", "secret", ".key", "-key-pem"]
        .iter()
        .any(|part| key.ends_with(part))
}

fn find(table: &[(&str, ValueKind)], key: &str) -> Option<ValueKind> {
    table
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, kind)| *kind)
}

/// Returns the effect of a key of one of airlift's HTTP clients.
fn http_client(key: &str) -> Option<KeyEffect> {
    let name = CLIENTS
        .iter()
        .find_map(|client| key.strip_prefix(client)?.strip_prefix('.'))?;
    if name.starts_with("http.authentication.krb5.")
        || name.starts_with("http-client.authentication.")
    {
        return Some(KeyEffect::Defunct);
    }
    find(HTTP_CLIENT, name.strip_prefix("http-client.")?).map(KeyEffect::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of an HTTP client are known under the prefixes of airlift's clients, and under no
    /// other.
    #[test]
    fn http_client_keys() {
        assert_eq!(
            effect("dynamic.http-client.connect-timeout"),
            Some(KeyEffect::None(ValueKind::Duration))
        );
        assert_eq!(
            effect("event.http-client.log.compression.enabled"),
            Some(KeyEffect::None(ValueKind::Boolean))
        );
        assert_eq!(
            effect("discovery.http-client.authentication.enabled"),
            Some(KeyEffect::Defunct)
        );
        assert_eq!(effect("other.http-client.connect-timeout"), None);
        assert_eq!(effect("http-client.connect-timeout"), None);
    }

    /// No key is in two tables, where it would have two effects.
    #[test]
    fn tables_are_disjoint() {
        let mut names = all();
        names.extend(RENAMED.iter().map(|(old, _)| (*old).to_owned()));
        names.extend(DEFUNCT.iter().map(|name| (*name).to_owned()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| effect(name).is_some()));
        assert!(
            RENAMED
                .iter()
                .all(|(_, new)| effect(new) == Some(KeyEffect::Acts))
        );
    }

    /// A mistyped key gets a suggestion; an unrelated key gets none.
    #[test]
    fn suggestions() {
        assert_eq!(
            similar("discovery.max-agee").first().map(String::as_str),
            Some("discovery.max-age")
        );
        assert_eq!(
            similar("http-server.http.prot").first().map(String::as_str),
            Some("http-server.http.port")
        );
        assert!(similar("xyzzy").is_empty());
    }

    /// The example files explain every key that has an effect, and contain no unknown key.
    #[test]
    fn the_example_explains_every_key() {
        let example = concat!(
            include_str!("../../../etc/config.properties"),
            include_str!("../../../etc/node.properties")
        );
        let stands = |key: &&str| {
            let set = format!("{key}=");
            example
                .lines()
                .any(|line| line.trim_start_matches('#').starts_with(&set))
        };
        let missing: Vec<_> = ACTING.iter().filter(|key| !stands(key)).collect();
        assert!(missing.is_empty(), "not in etc/: {missing:?}");
        for line in example.lines() {
            let Some((key, _)) = line.trim_start_matches('#').split_once('=') else {
                continue;
            };
            let is_key = key.contains('.')
                && key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"-.".contains(&b));
            assert!(
                !is_key || key == "node.data-dir" || effect(key).is_some(),
                "{key} does not exist"
            );
        }
    }
}
